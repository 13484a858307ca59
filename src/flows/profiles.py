"""What the agent knows of a tenant, ready to use: loaded from the database, cached per process by its version."""

from __future__ import annotations

import asyncio
import os
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np

from agent.classifier import Classification, Classifier, Example, vectorise
from agent.encoder import Encoder
from agent.language import detect_language
from agent.language_model import LanguageModel, ModelClients, ModelSettings
from agent.media_reader import MediaReader, MediaReaderSettings, OpenAIMediaReader
from agent.spared_classifier import train_spared
from agent.turn import Passage, TenantProfile
from flows.tenant_files import load_functions
from flows.tenant_profile import profile_of
from flows.tenants import FOLDER_SOURCE
from store import knowledge
from store.database import Connection, Database, Row
from store.media import MediaFolder, MediaStore
from tools.declaration import BusinessFunction

_KEPT_PROFILES = 256
_MAX_BATCH = 32


class Batches:
    """Classifies messages that come at the same time together, in a thread, so that the loop stays free.

    Nothing waits for a batch to fill: while one runs, the next one gathers.
    """

    def __init__(self, classifier: Classifier) -> None:
        self._classifier = classifier
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
                results = await asyncio.to_thread(self._classifier.classify_many, [text for text, _ in batch])
            except Exception as error:
                for _, future in batch:
                    if not future.done():
                        future.set_exception(error)
            else:
                for (_, future), result in zip(batch, results, strict=True):
                    if not future.done():
                        future.set_result(result)


@dataclass(frozen=True, slots=True)
class Brain:
    """A tenant's profile with what works on it."""

    profile: TenantProfile
    batches: Batches
    model: LanguageModel | None
    _db: Database = field(repr=False)
    _encoder: Encoder = field(repr=False)
    reader: MediaReader | None = None
    """What puts customers' files into words; None: people look at them."""

    async def classify(self, text: str) -> Classification:
        """The message's intent with its calibrated confidence."""
        return await self.batches.classify(text)

    async def search(self, query: str, language: str, limit: int) -> Sequence[Passage]:
        """The tenant's passages nearest to the query, best first."""
        encoder = self._encoder.for_passages
        vectors = await asyncio.to_thread(vectorise, [query], encoder)
        async with self._db.transaction(UUID(self.profile.id)) as tx:
            rows = await knowledge.search(tx, vectors[0], query, language=language, encoder=encoder.name, limit=limit)
        return [Passage(row["ref"], row["title"], row["text"], float(row["score"]), row["language"]) for row in rows]


@dataclass(frozen=True, slots=True)
class Installation:
    """What all tenants of this installation share: where their code may lie, and the default language model."""

    tenant_folders: tuple[Path, ...]
    encoder: Encoder
    model_clients: ModelClients
    default_model: ModelSettings | None = None
    media_folder: Path | None = None
    media_reader: MediaReaderSettings | None = None
    """Where customers' files lie, and what reads them; without either none is read."""


class Profiles:
    """Loads and keeps brains. A changed tenant has another version, so a stale one is never asked for."""

    def __init__(self, db: Database, installation: Installation) -> None:
        self._db = db
        self._installation = installation
        self._brains: OrderedDict[tuple[UUID, int], Brain] = OrderedDict()
        self._loading: dict[tuple[UUID, int], asyncio.Task[Brain]] = {}

    async def get(self, tenant_id: UUID, version: int) -> Brain:
        """The tenant's brain of this ``profile_version`` (of a newer one if it changed in the meantime)."""
        key = (tenant_id, version)
        if key in self._brains:
            self._brains.move_to_end(key)
            return self._brains[key]
        if key not in self._loading:
            self._loading[key] = asyncio.create_task(self._load(tenant_id))
            self._loading[key].add_done_callback(lambda _: self._loading.pop(key, None))
        brain = await asyncio.shield(self._loading[key])
        self._brains[key] = brain
        while len(self._brains) > _KEPT_PROFILES:
            self._brains.popitem(last=False)
        return brain

    async def warm_up(self, tenants: int = 20) -> None:
        """Load what the first messages will need: the encoder, the language detector, the brains of busy tenants."""
        encoder = self._installation.encoder
        await asyncio.to_thread(vectorise, ["bom dia"], encoder.spare or encoder)
        await asyncio.to_thread(detect_language, "isto carrega o detector de idiomas", "pt")
        for row in await self._db.gate("recent_tenants", tenants):
            await self.get(row["tenant_id"], row["profile_version"])

    async def _load(self, tenant_id: UUID) -> Brain:
        async with self._db.transaction(tenant_id) as tx:
            tenant = await tx.fetchrow("SELECT * FROM tenant WHERE id = $1", tenant_id)
            intents = await tx.fetch("SELECT declaration FROM intent ORDER BY name")
            functions = await tx.fetch("SELECT name, source, trusted FROM business_function WHERE enabled")
            examples = await knowledge.examples(tx)
        profile = profile_of(tenant, intents, functions, self._functions(functions))
        classifier = await asyncio.to_thread(_train, examples, self._installation.encoder)
        return Brain(
            profile,
            Batches(classifier),
            self._model(tenant["settings"]),
            self._db,
            self._installation.encoder,
            self._reader(),
        )

    @property
    def media_store(self) -> MediaStore:
        """Where customers' files lie."""
        return MediaFolder(self._installation.media_folder or Path(os.devnull))

    def _reader(self) -> MediaReader | None:
        settings = self._installation.media_reader
        if settings is None or self._installation.media_folder is None:
            return None
        return OpenAIMediaReader(settings, self._installation.model_clients)

    def _functions(self, rows: Sequence[Row]) -> dict[str, BusinessFunction]:
        found: dict[str, BusinessFunction] = {}
        for folder in {
            row["source"].removeprefix(FOLDER_SOURCE) for row in rows if row["source"].startswith(FOLDER_SOURCE)
        }:
            path = Path(folder).resolve()
            # The row is data; only folders that the installation names may hold code.
            if any(path.is_relative_to(allowed.resolve()) for allowed in self._installation.tenant_folders):
                found |= load_functions(path)
        return {row["name"]: found[row["name"]] for row in rows if row["name"] in found}

    def _model(self, settings: Mapping[str, Any]) -> LanguageModel | None:
        chosen = self._installation.default_model
        if declared := settings.get("model"):
            chosen = ModelSettings(**declared)
        return LanguageModel(chosen, self._installation.model_clients) if chosen else None


def _train(rows: Sequence[Row], encoder: Encoder) -> Classifier:
    examples = [Example(row["text"], row["intent"], row["language"]) for row in rows]
    vectors = None
    if rows and all(row["encoder"] == encoder.name and row["embedding"] for row in rows):
        stored = np.array([np.fromstring(row["embedding"][1:-1], sep=",", dtype=np.float32) for row in rows])
        vectors = stored[:, : encoder.dim]
    return train_spared(examples, encoder, vectors)


async def bump(tx: Connection, tenant_id: UUID) -> None:
    """Tell every process that what the agent knows of this tenant changed, in the transaction of the change."""
    await tx.execute("UPDATE tenant SET profile_version = profile_version + 1 WHERE id = $1", tenant_id)
