"""What helps an operator while answering: summaries, translations, other words, knowledge. Nothing of it is sent.

All but the search goes through the tenant's own language model, under its budgets and behind placeholders where it
masks. Without a model there is nothing of it, and a failure changes nothing.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from agent.budgeted_model import BudgetedModel, BudgetUsedUpError
from agent.claims import Sources, check
from agent.language import detect_language
from agent.language_model import LanguageModel, ModelClients, ModelError, ModelSettings
from agent.outgoing import REVEALING, Outgoing
from agent.prompts import PromptLibrary
from agent.turn import HistoryMessage, Passage, TenantProfile
from agent.writing import UnusableTextError, Writing
from domain.errors import InvalidInputError, NotFoundError
from domain.messages import MAX_TEXT_BYTES, Author, MessageKind
from domain.suggestions import checked_wish
from flows.budgets import Spendings, turn_budget
from flows.functions import holdings_of
from flows.live_tenant import own_prompts
from flows.model_declaration import MODEL_KEY, declared_model
from flows.tenant_profile import profile_of
from flows.turn_input import as_input
from flows.writing_desk import HelpBudgetError, HelpFailedError, NoModelError
from store import bundles, earlier, functions, summaries, turns
from store.database import Connection, Database, Row
from store.secrets import Sealer

if TYPE_CHECKING:
    from agent.encoder import Encoder

LANGUAGES: Final = ("pt", "es", "en")
_QUERY_CHARACTERS: Final = 500
_PASSAGES: Final = 6
_KEPT_TENANTS: Final = 64


@dataclass(frozen=True, slots=True)
class Helpers:
    """What the help works with, shared by all tenants of a process."""

    encoder: Callable[[], Encoder]
    library: Callable[[], PromptLibrary]
    clients: ModelClients
    default_model: ModelSettings | None = None
    """The model of tenants that name none, as of turns."""
    sealer: Sealer | None = None


@dataclass(frozen=True, slots=True)
class Rewritten:
    """A text in other words. ``added``: what it says that neither the former one nor the conversation does."""

    text: str
    added: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Opened:
    """A conversation with its tenant's model, for one request."""

    row: Row
    profile: TenantProfile
    writing: Writing
    writes: frozenset[str] = field(default=frozenset())
    reads: frozenset[str] = field(default=frozenset())

    def language(self, text: str) -> str:
        """The language of a text, else the conversation's."""
        return detect_language(text, self.row["language"] or self.profile.default_language)

    def sources(self, **more: Any) -> Sources:
        """What may stand behind a text of this conversation; ``more``: further fields of Sources."""
        turn = self.writing.turn
        heard = [*turn.history, *turn.unanswered]
        return Sources(
            now=datetime.now(UTC).astimezone(self.profile.timezone),
            customer=[message.text for message in heard if message.author is Author.CONTACT],
            names=[name for name in (self.profile.name, turn.contact_name) if name],
            writes=self.writes,
            reads=self.reads,
            **more,
        )

    def guard(self, text: str, known: str) -> str:
        """A reason to look twice at what the model wrote, "" for none. Raises UnusableTextError for a leaked prompt."""
        turn = self.writing.turn
        said = "\n".join([known, *(message.text for message in (*turn.history, *turn.unanswered))])
        prompt = self.writing.prompts.of(self.profile.prompts, "rewrite")
        finding = Outgoing.for_writing(prompt, self.profile, said).finding(text)
        if finding is not None and finding.code in REVEALING:
            raise UnusableTextError("it repeats the model's instructions")
        return f"{finding.code}: {finding.detail}" if finding is not None else ""


class WritingHelp:
    """Raises NotFoundError for what is not there, NoModelError, HelpBudgetError or HelpFailedError."""

    def __init__(self, db: Database, helpers: Helpers) -> None:
        self._db = db
        self._spendings = Spendings(db)
        self._helpers = helpers
        self._known: dict[UUID, tuple[int, TenantProfile, ModelSettings | None, Sequence[Any]]] = {}

    async def rewrite(
        self, tenant_id: UUID, conversation_id: UUID, text: str, wanted: str, words: str = ""
    ) -> Rewritten:
        """An operator's own text as it is wanted (domain.suggestions.Wanted), in its language unless another is asked
        for."""
        wish, said = checked_wish(wanted, words)
        text = _checked(text)
        async with self.opened(tenant_id, conversation_id) as opened:
            language = wish.language or opened.language(text)
            new = await opened.writing.rewritten(text, wanted=wish.value, words=said, language=language)
            opened.guard(new, f"{text}\n{said}")
            sources = opened.sources(texts=[("text", text), ("instruction", said)])
            # What no text can support (that something was done) is new only where the former one did not claim as much.
            claimed = {span.kind for span in check(text, opened.language(text), sources).unsupported}
            added = [span for span in check(new, language, sources).unsupported if span.kind not in claimed]
            return Rewritten(new, tuple(new[span.start : span.end] for span in added))

    async def translate(self, tenant_id: UUID, conversation_id: UUID, text: str, language: str) -> str:
        """An operator's own text in ``language`` (pt, es, en)."""
        text, language = _checked(text), _language(language)
        async with self.opened(tenant_id, conversation_id) as opened:
            new = await opened.writing.translated(text, language)
            opened.guard(new, text)
            return new

    async def translate_message(self, tenant_id: UUID, conversation_id: UUID, message_id: int, language: str) -> str:
        """A message of the conversation in ``language``."""
        async with self._db.transaction(tenant_id) as tx:
            text = await earlier.text_of(tx, conversation_id, message_id)
        if not text:
            raise NotFoundError("message", message_id)
        return await self.translate(tenant_id, conversation_id, text[:MAX_TEXT_BYTES], language)

    async def summary(self, tenant_id: UUID, conversation_id: UUID, language: str) -> str:
        """What was said since the conversation began, in a few sentences of ``language``. Not kept."""
        async with self.opened(tenant_id, conversation_id) as opened:
            row, turn = opened.row, opened.writing.turn
            async with self._db.transaction(tenant_id) as tx:
                found = await summaries.due(tx, conversation_id, row["window_start_id"], turn.summary_upto_id, keep=0)
            answered = [_message(one) for one in found["messages"]] if found is not None else []
            known = {message.id for message in answered}
            messages = [*answered, *(message for message in turn.unanswered if message.id not in known)]
            if not messages:
                raise NotFoundError("message of conversation", conversation_id)
            return await opened.writing.summary(sorted(messages, key=lambda one: one.id), _language(language))

    async def search(self, tenant_id: UUID, query: str, language: str) -> Sequence[Passage]:
        """The tenant's passages that answer best. Needs no language model."""
        from flows.knowledge_search import KnowledgeSearch  # noqa: PLC0415 - numpy, only where something is looked up

        query = query.strip()[:_QUERY_CHARACTERS]
        if not query:
            raise InvalidInputError("query", "it is empty", hint="Write what you are looking for.")
        search = KnowledgeSearch(self._db, self._helpers.encoder())
        return await search.search(tenant_id, query, detect_language(query, _language(language)), _PASSAGES)

    @asynccontextmanager
    async def opened(self, tenant_id: UUID, conversation_id: UUID) -> AsyncIterator[Opened]:
        """The conversation as it is now, with the tenant's model behind its budget. What a call used is counted."""
        async with self._db.transaction(tenant_id) as tx:
            row = await turns.read(tx, conversation_id)
            if row is None:
                raise NotFoundError("conversation", conversation_id)
            profile, settings, known = await self._tenant(tx, tenant_id, row["profile_version"])
        if settings is None:
            raise NoModelError
        budget = turn_budget(self._spendings, row, profile)
        model = BudgetedModel(LanguageModel(settings, self._helpers.clients), budget)
        writing = Writing(self._helpers.library(), profile, model, as_input(row))
        names = {effect: frozenset(one.name for one in known if one.effect == effect) for effect in ("write", "read")}
        try:
            yield Opened(row, profile, writing, names["write"], names["read"])
        except BudgetUsedUpError as error:
            raise HelpBudgetError(error.limit) from error
        except ModelError as error:
            raise HelpFailedError(str(error)) from error
        finally:
            await budget.close()

    async def _tenant(
        self, tx: Connection, tenant_id: UUID, version: int
    ) -> tuple[TenantProfile, ModelSettings | None, Sequence[Any]]:
        """Of the tenant what texts need: neither its classifier nor its functions' code."""
        kept = self._known.get(tenant_id)
        if kept is not None and kept[0] == version:
            return kept[1:]
        tenant = await tx.fetchrow("SELECT * FROM tenant WHERE id = $1", tenant_id)
        intents = await tx.fetch("SELECT name, declaration FROM intent ORDER BY name")
        rows = await functions.every(tx)
        prompts = own_prompts(await bundles.wordings(tx), self._helpers.library())
        profile = replace(profile_of(tenant, intents, rows), prompts=prompts)
        holdings = await holdings_of(tx, tenant_id, self._helpers.sealer)
        settings = declared_model(tenant["settings"]).settings(
            self._helpers.default_model, holdings.secrets.get(MODEL_KEY), holdings.allowed_hosts
        )
        if len(self._known) >= _KEPT_TENANTS:
            self._known.pop(next(iter(self._known)))
        self._known[tenant_id] = (version, profile, settings, rows)
        return profile, settings, rows


def _message(row: Sequence[Any]) -> HistoryMessage:
    id_, kind, text, at, author, forwarded = row
    return HistoryMessage(
        id_, Author(author), text, datetime.fromtimestamp(float(at), UTC), MessageKind(kind), bool(forwarded)
    )


def _checked(text: str) -> str:
    text = text.strip()
    if not text:
        raise InvalidInputError("text", "it is empty", hint="Write something first.")
    if len(text.encode(errors="replace")) > MAX_TEXT_BYTES:
        raise InvalidInputError("text", "it is too long", hint="Shorten it, or do it in parts.")
    return text


def _language(code: str) -> str:
    if code not in LANGUAGES:
        raise InvalidInputError("language", f"{code!r} is not offered", hint=f"Use one of: {', '.join(LANGUAGES)}.")
    return code
