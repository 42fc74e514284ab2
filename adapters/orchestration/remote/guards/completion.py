"""What a chat completion says, and how sure the model was."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from llama_mapper.adapters.orchestration.remote.answers import malformed, objects_in
from llama_mapper.domain.orchestration.ports import RawFinding


@dataclass(frozen=True, slots=True)
class Judgement:
    """The model's reply without surrounding white space, and the likely tokens at each place of it, if told."""

    text: str
    places: tuple[Mapping[str, float], ...] = ()
    """Token, folded and stripped → probability."""

    def probability(self, positive: Collection[str], negative: Collection[str]) -> float | None:
        """How likely one of `positive` was against one of `negative`, at the first place where either was chosen.

        None where the service told no probabilities there.
        """
        for place in self.places:
            chosen = next(iter(place))
            if chosen in positive or chosen in negative:
                for_it = sum(chance for token, chance in place.items() if token in positive)
                against = sum(chance for token, chance in place.items() if token in negative)
                return for_it / (for_it + against) if for_it + against > 0 else None
        return None


@dataclass(frozen=True, slots=True)
class Family:
    """How one family is asked and read.

    `default_risks` are asked where the definition names none; empty for a family that judges everything at once.
    `known_risks` are all that can be asked, empty where any can. `kwargs` are what the server's chat template takes
    for a risk. `read` gives the findings for a judgement about a risk, and raises `DETECTOR_MALFORMED_ANSWER` for
    anything outside the family's form.
    """

    max_tokens: int
    read: Callable[[Judgement, str], tuple[RawFinding, ...]]
    default_risks: tuple[str, ...] = ()
    known_risks: frozenset[str] = frozenset()
    kwargs: Callable[[str], dict[str, Any]] | None = None


def judgement_of(answer: Any, *, whole: bool) -> Judgement:
    """The judgement in a chat completion's answer. With `whole`, one that was cut off is malformed."""
    choices = objects_in(answer.get("choices") if isinstance(answer, dict) else None, "choices")
    if len(choices) != 1:
        raise malformed("it has not one choice")
    (choice,) = choices
    message = choice.get("message")
    text = message.get("content") if isinstance(message, dict) else None
    if not isinstance(text, str):
        raise malformed("its message has no text")
    if whole and choice.get("finish_reason") == "length":
        raise malformed("its message is cut off")
    return Judgement(text.strip(), _places(choice.get("logprobs")))


def _places(logprobs: Any) -> tuple[Mapping[str, float], ...]:
    if not isinstance(logprobs, dict) or not logprobs.get("content"):
        return ()
    places = []
    for place in objects_in(logprobs["content"], "the token probabilities"):
        chances: dict[str, float] = {}
        alternatives = objects_in(place.get("top_logprobs") or [], "the likely tokens")
        for at, one in enumerate([place, *alternatives]):
            token, logprob = one.get("token"), one.get("logprob")
            if not isinstance(token, str) or isinstance(logprob, bool) or not isinstance(logprob, int | float):
                raise malformed("a token's probability is not a number")
            if at and token == place["token"]:
                continue  # the chosen token is among the likely ones again
            name = token.strip().lower()
            chances[name] = chances.get(name, 0.0) + math.exp(min(0.0, logprob))
        places.append(chances)
    return tuple(places)
