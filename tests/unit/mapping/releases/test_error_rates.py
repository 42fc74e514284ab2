"""Whole canaries, simulated: how often a good candidate is rolled back, and how soon a bad one."""

from __future__ import annotations

from random import Random

import pytest

from llama_mapper.domain.contracts.releases import CanaryStart, GateState, ReleaseGates
from llama_mapper.domain.mapping.releases.gates import canary_gates
from llama_mapper.domain.mapping.releases.tally import Outcome, Tally
from tests.support.releases import canary

GATES = ReleaseGates(
    schema_validity_drop=0.0, abstention_rise=0.0, error_rise=0.0, agreement_least=0.8, latency_ratio=1.0, alpha=0.1
)
"""Without any margin: what is no worse is only just no worse, which is the hardest case."""


def requests_until_rolled_back(
    plan: CanaryStart, random: Random, most: int, *, worse: bool = False, every: int = 1
) -> int | None:
    """How many requests both versions got before a gate failed; looked at after every `every` requests."""
    tallies = {"baseline": Tally(), "candidate": Tally()}
    for number in range(1, most + 1):
        is_candidate = random.random() < 0.25
        rate = 0.3 if worse and is_candidate else 0.1
        tallies["candidate" if is_candidate else "baseline"].add(
            Outcome(
                labels=1,
                failed=random.random() < rate,
                invalid=int(random.random() < 0.05),
                abstained=int(random.random() < 0.2),
                compared=int(is_candidate),
                agreed=int(is_candidate and random.random() < 0.8),
                latency_ms=random.lognormvariate(3.0, 0.6),
            )
        )
        if number % every == 0:
            gates = canary_gates(plan, tallies)
            if any(gate.state is GateState.FAILING for gate in gates):
                return number
    return None


def test_a_candidate_that_is_no_worse_is_rarely_rolled_back_however_often_one_looks() -> None:
    random, runs = Random(11), 30
    plan = canary(gates=GATES)
    ended = [requests_until_rolled_back(plan, random, 240, every=10) for _ in range(runs)]
    assert sum(each is not None for each in ended) / runs <= GATES.alpha


@pytest.mark.parametrize("seed", range(5))
def test_a_candidate_that_fails_three_times_as_often_is_rolled_back_soon(seed: int) -> None:
    plan = canary(gates=ReleaseGates(error_rise=0.02))
    ended = requests_until_rolled_back(plan, Random(seed), 3000, worse=True, every=50)
    assert ended is not None
