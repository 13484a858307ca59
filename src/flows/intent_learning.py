"""Classifiers of tenants in this process: what changed is learned in a moment, the whole again behind it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from agent.classifier import Classification, Classifier, Example, IntentClassifier
from agent.encoder import Encoder, EncodingFailedError
from agent.spared_classifier import train_spared
from agent.taught_more import taught_more
from flows.intent_vectors import trained_on

log = logging.getLogger(__name__)

_MAX_BATCH: Final = 32
_LEARNED_AT_ONCE: Final = 4_000
"""Examples times intents up to which learning all of them takes a blink."""

Rows = Sequence[Mapping[str, Any]]


class Batches:
    """Classifies messages that come at the same time together, in a thread, so that the loop stays free.

    Nothing waits for a batch to fill: while one runs, the next one gathers.
    """

    def __init__(self, classifier: Classifier) -> None:
        self.classifier = classifier
        """May be put in another's place, for the next batch."""
        self._waiting: list[tuple[str, asyncio.Future[Classification]]] = []
        self._running: asyncio.Task[None] | None = None

    async def classify(self, text: str) -> Classification:
        """The classification of one text."""
        future: asyncio.Future[Classification] = asyncio.get_running_loop().create_future()
        self._waiting.append((text, future))
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._run(), name="classify")
        return await future

    async def _run(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:_MAX_BATCH], self._waiting[_MAX_BATCH:]
            try:
                results = await asyncio.to_thread(self.classifier.classify_many, [text for text, _ in batch])
            except Exception as error:
                for _, future in batch:
                    if not future.done():
                        future.set_exception(error)
            else:
                for (_, future), result in zip(batch, results, strict=True):
                    if not future.done():
                        future.set_result(result)


class Learning:
    """Learns tenants' examples with one encoder. Of several changes in quick succession the last is learned whole."""

    def __init__(self, encoder: Encoder, *, at_once: int = _LEARNED_AT_ONCE) -> None:
        """``at_once``: so many examples times intents are always learned whole, before anything is answered."""
        self._encoder = encoder
        self._at_once = at_once
        self._latest: dict[UUID, tuple[Rows, Batches]] = {}
        self._tasks: dict[UUID, asyncio.Task[None]] = {}

    async def learn(self, tenant_id: UUID, rows: Rows, before: Batches | None) -> Batches:
        """A classifier of these examples (rows of ``store.knowledge.examples``): soon, where there was one ``before``
        and learning anew would take long; it is then replaced, in its batches, by one that learned everything.
        """
        known = before.classifier if before else None
        self._latest.pop(tenant_id, None)
        if isinstance(known, IntentClassifier) and len(rows) * len(known.intents) > self._at_once:
            quick = await asyncio.to_thread(_quickly, known, rows, self._encoder)
            if quick is not None:
                batches = Batches(quick)
                self._latest[tenant_id] = rows, batches
                if tenant_id not in self._tasks:
                    self._tasks[tenant_id] = asyncio.create_task(self._wholly(tenant_id), name="learn-intents")
                return batches
        return Batches(await asyncio.to_thread(learned, rows, self._encoder))

    async def settled(self) -> None:
        """Return once nothing is left to be learned."""
        while self._tasks:
            await asyncio.gather(*self._tasks.values())

    async def _wholly(self, tenant_id: UUID) -> None:
        try:
            while tenant_id in self._latest:
                rows, batches = self._latest.pop(tenant_id)
                batches.classifier = await asyncio.to_thread(learned, rows, self._encoder)
        except Exception:
            log.exception("the examples of tenant %s were learned in part only", tenant_id)
        finally:
            del self._tasks[tenant_id]


def learned(rows: Rows, encoder: Encoder) -> Classifier:
    """A classifier of all these examples. Never raises EncodingFailedError: a spare answers then."""
    try:
        examples, vectors = trained_on(rows, encoder)
    except EncodingFailedError:  # the endpoint is away: what stands in for it learns them (agent.spared_classifier)
        examples, vectors = [Example(row["text"], row["intent"], row["language"]) for row in rows], None
    return train_spared(examples, encoder, vectors)


def _quickly(before: IntentClassifier, rows: Rows, encoder: Encoder) -> IntentClassifier | None:
    return taught_more(before, *trained_on(rows, encoder)) if before.encoder is encoder else None
