"""What the assistant would understand of a message, asked by people who write its examples: nothing is done with it."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal
from uuid import UUID

from domain.errors import InvalidInputError
from domain.told import Told
from store import intents, knowledge
from store.database import Database

if TYPE_CHECKING:
    from agent.classifier import Classifier
    from agent.encoder import Encoder

LONGEST: Final = 1_000
_KEPT: Final = 8
_USUAL_THRESHOLD: Final = 0.8

Outcome = Literal["sure", "unsure", "outside", "nothing_to_read", "no_examples"]
"""``sure``: served without a language model. ``unsure``: below the threshold. ``outside``: unlike all examples."""


@dataclass(frozen=True, slots=True)
class Understood:
    """``ranked``: the likeliest intents with their chances, best first; ``threshold``: what the first must reach."""

    text: str
    outcome: Outcome
    ranked: tuple[tuple[str, float], ...]
    threshold: float
    out_of_scope: float


class Understanding:
    """One per process: keeps the classifiers of the tenants that were asked about last."""

    def __init__(self, db: Database, encoder: Callable[[], Encoder]) -> None:
        self._db = db
        self._encoder = encoder
        self._trained: OrderedDict[tuple[UUID, int], Classifier] = OrderedDict()

    async def ask(self, tenant_id: UUID, text: str) -> Understood:
        """Classify as a turn would. Raises InvalidInputError for a text that is empty or too long."""
        if not text.strip() or len(text) > LONGEST:
            raise InvalidInputError("text", Told("characters", "must have 1 to {most} characters", most=LONGEST))
        async with self._db.transaction(tenant_id) as tx:
            tenant = await tx.fetchrow("SELECT settings, profile_version FROM tenant WHERE id = $1", tenant_id)
            declared = {row["name"]: row["declaration"] for row in await intents.every(tx)}
            key = (tenant_id, tenant["profile_version"])
            rows = [] if key in self._trained else await knowledge.examples(tx)
        classifier = self._trained.get(key)
        if classifier is None:
            classifier = await asyncio.to_thread(_train, rows, self._encoder())
        self._keep(key, classifier)
        found = await asyncio.to_thread(classifier.classify, text)
        ranked = ((found.intent, found.confidence), *found.alternatives) if found.intent else ()
        threshold = _threshold(tenant["settings"], declared.get(found.intent or "", {}))
        if found.intent is None:
            outcome: Outcome = "no_examples" if not declared else "nothing_to_read"
        elif found.confidence >= threshold:
            outcome = "sure"
        else:
            outcome = "outside" if found.out_of_scope > 0.5 else "unsure"
        return Understood(text, outcome, ranked, threshold, found.out_of_scope)

    def _keep(self, key: tuple[UUID, int], classifier: Classifier) -> None:
        for old in [one for one in self._trained if one[0] == key[0] and one != key]:
            del self._trained[old]
        self._trained[key] = classifier
        self._trained.move_to_end(key)
        while len(self._trained) > _KEPT:
            self._trained.popitem(last=False)


def _train(rows: list[Any], encoder: Encoder) -> Classifier:
    from agent.classifier import train  # noqa: PLC0415 - numpy and 40 MB, only where it is asked
    from flows.intent_vectors import trained_on  # noqa: PLC0415

    examples, vectors = trained_on(rows, encoder)
    return train(examples, encoder, vectors)


def _threshold(settings: Mapping[str, Any], declaration: Mapping[str, Any]) -> float:
    own = declaration.get("threshold")
    return float(settings.get("threshold", _USUAL_THRESHOLD) if own is None else own)
