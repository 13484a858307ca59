"""What the agent knows of a tenant, ready to use: loaded from the database, cached per process by its version."""

from __future__ import annotations

import asyncio
import logging
import os
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from uuid import UUID

import asyncpg

from agent.bundle import bundle_parts, hash_of_parts, part_hashes
from agent.classifier import Classification, vectorise
from agent.encoder import Encoder
from agent.language import detect_language
from agent.language_model import LanguageModel, ModelClients, ModelSettings
from agent.media_reader import MediaReader, MediaReaderSettings, OpenAIMediaReader
from agent.prompts import load_prompts
from agent.turn import Passage, TenantProfile
from flows.bundle_content import BundleContent
from flows.canary import place_of
from flows.functions import FunctionSource, callable_functions, holdings_of
from flows.functions_python import PythonFunctions
from flows.intent_learning import Batches, Learning, learned
from flows.knowledge_search import KnowledgeSearch
from flows.knowledge_snapshot import Knowledge, snapshot
from flows.live_tenant import LiveTenant, TenantRows, own_prompts, read_rows, worded
from flows.model_declaration import MODEL_KEY, declared_budgets
from store import bundles
from store.bundles import Canary
from store.database import Database
from store.functions import Kind
from store.media import MediaFolder, MediaStore
from store.profile_version import bump  # noqa: F401 - callers know it from here
from store.secrets import Sealer

log = logging.getLogger(__name__)

_KEPT_PROFILES = 256


@dataclass(frozen=True, slots=True)
class Brain:
    """A tenant's profile with what works on it."""

    profile: TenantProfile
    batches: Batches
    model: LanguageModel | None
    knowledge: Knowledge = field(repr=False)
    reader: MediaReader | None = None
    """What puts customers' files into words; None: people look at them."""
    beside: Brain | None = None
    share: float = 0.0
    """The canary, and the share of the contacts that meet it."""

    def for_contact(self, contact_id: UUID) -> Brain:
        """The brain that this contact meets: always the same one, and a greater share only adds contacts."""
        if self.beside is None or place_of(UUID(self.profile.id), contact_id) >= self.share:
            return self
        return self.beside

    async def classify(self, text: str) -> Classification:
        """The message's intent with its calibrated confidence."""
        return await self.batches.classify(text)

    async def search(self, query: str, language: str, limit: int) -> Sequence[Passage]:
        """The tenant's passages that answer best, with the chance that they do."""
        return await self.knowledge.search(UUID(self.profile.id), query, language, limit)


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
    media_store: MediaStore | None = None
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
        self.library = load_prompts()
        self._noted: set[tuple[UUID, str]] = set()
        self._learning = Learning(installation.encoder)

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

    async def live(self, tenant_id: UUID) -> LiveTenant:
        """The tenant as its rows are now, with its functions callable."""
        return (await self._read(tenant_id))[0]

    async def _read(self, tenant_id: UUID) -> tuple[LiveTenant, TenantRows]:
        async with self._db.transaction(tenant_id) as tx:
            rows = await read_rows(tx, tenant_id)
            holdings = await holdings_of(tx, tenant_id, self._installation.sealer)
        # Functions say which secrets they want; the model's key is for the model alone.
        theirs = {name: value for name, value in holdings.secrets.items() if name != MODEL_KEY}
        usable = callable_functions(rows.functions, self._sources, replace(holdings, secrets=theirs))
        live = LiveTenant(
            rows.tenant,
            {row["name"]: row["declaration"] for row in rows.intents},
            rows.functions,
            worded(usable, rows.functions),
            rows.examples,
            rows.documents,
            own_prompts(rows.prompts, self.library),
            self.library,
            self._installation.default_model,
            holdings.secrets.get(MODEL_KEY),
            holdings.allowed_hosts,
        )
        return live, rows

    async def _load(self, tenant_id: UUID) -> Brain:
        live, rows = await self._read(tenant_id)
        profile, settings = live.profile(), live.model()
        await self._note_used(tenant_id, live, profile)
        newest = self._newest(tenant_id)
        if newest is not None and newest.profile.examples_version == profile.examples_version:
            batches = newest.batches
        else:
            batches = await self._learning.learn(tenant_id, live.examples, newest.batches if newest else None)
        search = KnowledgeSearch(self._db, self._installation.encoder)
        brain = Brain(profile, batches, self._model(live, settings), search, self._reader())
        return brain if rows.canary is None else await self._with_canary(tenant_id, brain, live, *rows.canary)

    def _newest(self, tenant_id: UUID) -> Brain | None:
        known = [version for one, version in self._brains if one == tenant_id]
        return self._brains[tenant_id, max(known)] if known else None

    async def _with_canary(
        self, tenant_id: UUID, brain: Brain, live: LiveTenant, canary: Canary, content: BundleContent
    ) -> Brain:
        """The brain with the one beside it that a share of the contacts meets; what both share is loaded once."""
        other = live.under(content)
        profile = other.profile()
        # Whoever keeps something by a profile's version must not take one for the other.
        profile = replace(profile, version=f"{profile.version}/{canary.hash}")
        batches, search = brain.batches, brain.knowledge
        if profile.examples_version != brain.profile.examples_version:
            batches = Batches(await asyncio.to_thread(learned, other.examples, self._installation.encoder))
        if profile.documents_version != brain.profile.documents_version:
            async with self._db.transaction(tenant_id) as tx:
                kept = await bundles.documents(tx, tenant_id, [one.digest for one in content.documents])
            search = await asyncio.to_thread(snapshot, content.documents, kept, self._installation.encoder)
        beside = Brain(profile, batches, self._model(other, other.model()), search, brain.reader)
        return replace(brain, beside=beside, share=canary.share)

    async def _note_used(self, tenant_id: UUID, live: LiveTenant, profile: TenantProfile) -> None:
        """Keep what turns are run with from here on. What cannot be kept must not stop a turn."""
        contents = bundle_parts(self.library, profile, live.model())
        parts = part_hashes(contents)
        name = hash_of_parts(parts)
        if (tenant_id, name) in self._noted:
            return
        try:
            content = live.content(contents).to_json()
            async with self._db.transaction(tenant_id, durable=False) as tx:
                await bundles.put(tx, tenant_id, name, content, parts=parts, used=True)
                await bundles.keep_live_documents(tx, tenant_id)
        except asyncpg.PostgresError:
            log.exception("the prompt bundle %s of tenant %s could not be kept", name, tenant_id)
            return
        self._noted.add((tenant_id, name))

    @property
    def media_store(self) -> MediaStore:
        """Where customers' files lie."""
        return self._installation.media_store or MediaFolder(Path(os.devnull))

    def _reader(self) -> MediaReader | None:
        settings = self._installation.media_reader
        if settings is None or self._installation.media_store is None:
            return None
        return OpenAIMediaReader(settings, self._installation.model_clients)

    def _model(self, live: LiveTenant, chosen: ModelSettings | None) -> LanguageModel | None:
        settings = live.tenant["settings"]
        if chosen and chosen.model not in chosen.prices and declared_budgets(settings).budgets().limit_money:
            log.warning("model %s has no price, so that a budget of money never ends; see model.prices", chosen.model)
        return LanguageModel(chosen, self._installation.model_clients) if chosen else None
