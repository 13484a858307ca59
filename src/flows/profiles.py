"""What the agent knows of a tenant, ready to use: loaded from the database, cached per process by its version."""

from __future__ import annotations

import asyncio
import logging
import os
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from uuid import UUID

from agent.classifier import Classification, Classifier, Example, vectorise
from agent.encoder import Encoder, EncodingFailedError
from agent.language import detect_language
from agent.language_model import LanguageModel, ModelClients, ModelSettings
from agent.media_reader import MediaReader, MediaReaderSettings, OpenAIMediaReader
from agent.spared_classifier import train_spared
from agent.turn import Passage, TenantProfile
from flows.functions import FunctionSource, callable_functions, holdings_of
from flows.functions_python import PythonFunctions
from flows.intent_vectors import trained_on
from flows.knowledge_search import KnowledgeSearch
from flows.model_declaration import MODEL_KEY, declared_budgets, declared_model
from flows.tenant_profile import profile_of
from store import functions, knowledge
from store.database import Database, Row
from store.functions import Kind
from store.media import MediaFolder, MediaStore
from store.profile_version import bump  # noqa: F401 - callers know it from here
from store.secrets import Sealer

log = logging.getLogger(__name__)

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
    _knowledge: KnowledgeSearch = field(repr=False)
    reader: MediaReader | None = None
    """What puts customers' files into words; None: people look at them."""

    async def classify(self, text: str) -> Classification:
        """The message's intent with its calibrated confidence."""
        return await self.batches.classify(text)

    async def search(self, query: str, language: str, limit: int) -> Sequence[Passage]:
        """The tenant's passages that answer best, with the chance that they do."""
        return await self._knowledge.search(UUID(self.profile.id), query, language, limit)


@dataclass(frozen=True, slots=True)
class Installation:
    """What all tenants of this installation share: where their code may lie, and the default language model."""

    tenant_folders: tuple[Path, ...]
    encoder: Encoder
    model_clients: ModelClients
    default_model: ModelSettings | None = None
    """The model of tenants that name none, and the endpoint of those that name no other; no name: only the latter."""
    function_sources: Mapping[Kind, FunctionSource] = field(default_factory=dict)
    """What makes functions of other kinds than Python callable."""
    sealer: Sealer | None = None
    """Opens tenants' secrets; None: functions that need one cannot be called."""
    media_folder: Path | None = None
    media_reader: MediaReaderSettings | None = None
    """Where customers' files lie, and what reads them; without either none is read."""


class Profiles:
    """Loads and keeps brains. A changed tenant has another version, so a stale one is never asked for."""

    def __init__(self, db: Database, installation: Installation) -> None:
        self._db = db
        self._installation = installation
        python: FunctionSource = PythonFunctions(installation.tenant_folders)
        self._sources: Mapping[Kind, FunctionSource] = {"python": python, **installation.function_sources}
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

    async def refresh(self) -> None:
        """Load anew what changed of the tenants that this process serves, before their next message asks for it."""
        newest: dict[UUID, int] = {}
        for tenant_id, version in self._brains:
            newest[tenant_id] = max(version, newest.get(tenant_id, 0))
        if not newest:
            return
        for row in await self._db.gate("profile_versions", list(newest)):
            if row["profile_version"] != newest[row["tenant_id"]]:
                await self.get(row["tenant_id"], row["profile_version"])
                # Turns that have begun still ask for the one before; nobody asks for those before that.
                known = sorted(version for tenant_id, version in self._brains if tenant_id == row["tenant_id"])
                for version in known[:-2]:
                    self._brains.pop((row["tenant_id"], version), None)

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
            declared = await functions.every(tx)
            holdings = await holdings_of(tx, tenant_id, self._installation.sealer)
            examples = await knowledge.examples(tx)
        model = self._model(tenant["settings"], holdings.secrets.get(MODEL_KEY))
        # Functions say which secrets they want; the model's key is for the model alone.
        theirs = {name: value for name, value in holdings.secrets.items() if name != MODEL_KEY}
        usable = callable_functions(declared, self._sources, replace(holdings, secrets=theirs))
        profile = profile_of(tenant, intents, declared, usable)
        classifier = await asyncio.to_thread(_train, examples, self._installation.encoder)
        search = KnowledgeSearch(self._db, self._installation.encoder)
        return Brain(profile, Batches(classifier), model, search, self._reader())

    @property
    def media_store(self) -> MediaStore:
        """Where customers' files lie."""
        return MediaFolder(self._installation.media_folder or Path(os.devnull))

    def _reader(self) -> MediaReader | None:
        settings = self._installation.media_reader
        if settings is None or self._installation.media_folder is None:
            return None
        return OpenAIMediaReader(settings, self._installation.model_clients)

    def _model(self, settings: Mapping[str, Any], key: str | None) -> LanguageModel | None:
        chosen = declared_model(settings).settings(self._installation.default_model, key)
        if chosen and chosen.model not in chosen.prices and declared_budgets(settings).budgets().limit_money:
            log.warning("model %s has no price, so that a budget of money never ends; see model.prices", chosen.model)
        return LanguageModel(chosen, self._installation.model_clients) if chosen else None


def _train(rows: Sequence[Row], encoder: Encoder) -> Classifier:
    try:
        examples, vectors = trained_on(rows, encoder)
    except EncodingFailedError:  # the endpoint is away: what stands in for it learns them (agent.spared_classifier)
        examples, vectors = [Example(row["text"], row["intent"], row["language"]) for row in rows], None
    return train_spared(examples, encoder, vectors)
