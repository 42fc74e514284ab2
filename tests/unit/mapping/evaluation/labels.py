"""Labels, and methods whose answers are known in advance."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from llama_mapper.domain.contracts.mapping import MappingStage
from llama_mapper.domain.mapping.evaluation.ports import SubjectAnswer
from llama_mapper.domain.mapping.labels import KnownLabel, LabelKey

EMAIL = "pii.contact_information.email"
PHONE = "pii.contact_information.phone"
CARD = "pii.financial_data.payment_card"
HATE = "content.hate_speech.general"


def known(vendor: str, label: str, canonical: str, *also: str, version: str | None = "1") -> KnownLabel:
    return KnownLabel(LabelKey(vendor, version, label), canonical, also)


KNOWN = (
    known("alpha", "EMAIL", EMAIL),
    known("alpha", "Phone Number", PHONE),
    known("alpha", "CARD", CARD),
    known("beta", "email", EMAIL),
    known("beta", "phone_number", PHONE),
    known("beta", "Hate", HATE),
    known("gamma", "E-Mail", EMAIL),
    known("gamma", "payment", CARD, PHONE),
    known("gamma", "hate", CARD),
)


class Scripted:
    """Answers by a function of what it was fitted with and of the label; notes what it was fitted with."""

    def __init__(self, name: str, rule: Callable[[Sequence[KnownLabel], LabelKey], SubjectAnswer]) -> None:
        self.name = name
        self.fits: list[tuple[KnownLabel, ...]] = []
        self.asked: list[LabelKey] = []
        self._rule = rule

    async def fit(self, known: Sequence[KnownLabel], seed: int) -> None:
        self.fits.append(tuple(known))

    async def answer(self, labels: Sequence[LabelKey]) -> Sequence[SubjectAnswer]:
        self.asked += labels
        return [self._rule(self.fits[-1], label) for label in labels]


def answering(canonical: str | None, confidence: float = 0.5) -> SubjectAnswer:
    stage = MappingStage.ABSTAINED if canonical is None else MappingStage.MODEL
    return SubjectAnswer(canonical, confidence, stage)


def oracle(meanings: Sequence[KnownLabel] = KNOWN) -> Scripted:
    """Knows every meaning, whatever it is fitted with."""
    right = {one.key: one.canonical for one in meanings}
    return Scripted("oracle", lambda _, key: answering(right[key], 1.0))
