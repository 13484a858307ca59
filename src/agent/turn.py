"""What goes into a turn and what comes out: the only contact surface between the agent and the flows.

Everything the agent may do to the world is a callable in TurnContext. Evals hand in other callables and run the very
same graph without a database or a channel.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, Protocol
from zoneinfo import ZoneInfo

from domain.autonomy import AutonomyTerms
from domain.budgets import Budgets
from domain.consent import ConsentWords
from domain.decisions import Decision, HandOffReason, ReplyMode, TurnTrace
from domain.identity import IdentityStanding, IdentityTerms
from domain.messages import Author, MessageKind
from domain.policy import Policy, PolicyRule
from tools.declaration import BusinessFunction

if TYPE_CHECKING:
    from agent.classifier import Classification
    from agent.language_model import LanguageModel
    from agent.prompts import Prompt

Translations = Mapping[str, str]
"""Text per language code (``pt``, ``es``, ``en``)."""


@dataclass(frozen=True, slots=True)
class IntentSpec:
    """One thing customers want, and what serves it: a function, a fixed answer, a person, or silence.

    ``replies`` are Jinja2 templates per outcome (``ok`` or a BusinessError code) and language, filled with ``result``
    (the function's result, or the error's data), ``arguments`` and ``contact``.
    """

    name: str
    description: str = ""
    function: str | None = None
    answer: Translations = field(default_factory=dict)
    replies: Mapping[str, Translations] = field(default_factory=dict)
    action: Literal["serve", "hand_off", "stay_silent"] = "serve"
    threshold: float | None = None
    reply_mode: ReplyMode | None = None
    restricted: bool = False
    """Restricted intents always go to a person."""
    hand_off_reason: HandOffReason | None = None
    """Why ``hand_off`` and restricted intents go to a person; ``answer`` is then the announcement."""


Spans = tuple[tuple[str, str], ...]
"""Spans of one day, such as (("09:00", "12:00"), ("13:30", "18:00"))."""


@dataclass(frozen=True, slots=True)
class HolidayCalendar:
    """Public holidays that the business keeps: of the country, and of a state where one is named.

    ``optional`` adds the days on which most businesses close although none must (in Brazil Carnival and Corpus Christi,
    but also Christmas Eve): all of them, or those whose date is listed by name.
    """

    country: str
    state: str | None = None
    optional: bool | tuple[str, ...] = False


@dataclass(frozen=True, slots=True)
class BusinessHours:
    """Opening times in the tenant's zone: ``weekly[0]`` is Monday, each a tuple of ("09:00", "18:00") spans.

    What is said of one date wins over the calendar of holidays, and both over the week.
    """

    weekly: tuple[Spans, ...] = ()
    closed_dates: tuple[str, ...] = ()
    special_dates: Mapping[str, Spans] = field(default_factory=dict)
    """Other hours on one ISO date, a holiday or not; no span at all: closed."""
    holidays: HolidayCalendar | None = None
    named: Mapping[str, tuple[Spans, ...]] = field(default_factory=dict)
    """Hours with a name of the tenant's own, each a week; holidays mean nothing to them. For the reply policy."""


@dataclass(frozen=True, slots=True)
class HandOffTerms:
    """When the tenant's conversations go to a person, and what happens then."""

    switched_off: frozenset[HandOffReason] = frozenset()
    vip_tags: frozenset[str] = frozenset({"vip"})
    """Contacts with one of these tags are always served by people."""
    offer_first: bool = True
    """Before the agent gives up (low confidence, repeated failure), it offers a person once."""
    return_unclaimed: bool = False
    """Whether a conversation that nobody claimed goes back to the agent when the team opens again."""
    old_after: timedelta | None = None
    """A message that waited longer for its answer goes to a person: after an outage, what it says may be settled."""

    def wants(self, reason: HandOffReason) -> bool:
        """Whether this trigger is on."""
        return reason not in self.switched_off


@dataclass(frozen=True, slots=True)
class TenantProfile:
    """All that the agent knows about a business. Immutable; ``version`` changes whenever anything in it changes."""

    id: str
    name: str
    version: str
    timezone: ZoneInfo
    languages: tuple[str, ...] = ("pt", "es", "en")
    default_language: str = "pt"
    reply_mode: ReplyMode = ReplyMode.SUGGEST
    threshold: float = 0.8
    knowledge_threshold: float = 0.5
    """Least score (agent.relevance) of a passage that may answer without a language model, or be shown to one."""
    unmatched_mode: ReplyMode | None = None
    """Policy for a language model's reply that no function result and no passage supports; None: ``reply_mode``."""
    intents: Mapping[str, IntentSpec] = field(default_factory=dict)
    functions: Mapping[str, BusinessFunction] = field(default_factory=dict)
    trusted_writes: frozenset[str] = frozenset()
    trusted_only_for: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Where a trusted write is trusted for some intents alone: their names, by the function's."""
    texts: Mapping[str, Translations] = field(default_factory=dict)
    """The tenant's own wording of fixed texts (announcements, disclosure …); gaps fall back to Atende's."""
    hours: BusinessHours = field(default_factory=BusinessHours)
    hand_off: HandOffTerms = field(default_factory=HandOffTerms)
    budgets: Budgets = field(default_factory=Budgets)
    """Most that language models may use; over it, people take over."""
    policy_rules: tuple[PolicyRule, ...] = ()
    """The tenant's written rules; intents' own declarations and earned autonomy come on top (agent.policy)."""
    announce_under: frozenset[ReplyMode] = frozenset()
    """Modes beside ``auto`` under which customers are told of a handoff, with the disclosure where it is due."""
    autonomy: AutonomyTerms | None = None
    """How an intent earns ``auto``; None: it cannot."""
    consent: ConsentWords = field(default_factory=ConsentWords)
    persona: str = ""
    """How the assistant introduces itself and speaks, for the language model's prompt."""
    identity: IdentityTerms | None = None
    """How contacts prove who they are; None: functions that need it go to a person."""
    domains: frozenset[str] = frozenset()
    """Internet domains whose links an automatic reply may hold, besides those in the tenant's own texts."""
    mask_model_prompts: bool = False
    """Whether a language model reads placeholders instead of personal data (agent.masked_model)."""
    second_reading: bool = True
    """Whether a language model reads its replies once more before they go out by themselves (agent.second_reading)."""
    prompts: Mapping[str, Prompt] = field(default_factory=dict)
    """The tenant's own wording of prompts, by name; the rest are Atende's."""
    documents_version: str = ""
    examples_version: str = ""
    """Which knowledge and which examples of intents it has (agent.bundle), for the prompt bundle."""


@dataclass(frozen=True, slots=True)
class HistoryMessage:
    """One message of the conversation as the agent sees it. ``text`` is untrusted."""

    id: int
    author: Author
    text: str
    at: datetime
    kind: MessageKind = MessageKind.TEXT
    forwarded: bool = False
    """Somebody else wrote it: the contact only passed it on."""


@dataclass(frozen=True, slots=True)
class TurnInput:
    """The conversation as read under its fence. ``unanswered`` is never empty and is not part of ``history``."""

    conversation_id: str
    history: tuple[HistoryMessage, ...]
    unanswered: tuple[HistoryMessage, ...]
    contact_id: str
    contact_name: str | None = None
    contact_addresses: tuple[str, ...] = ()
    language: str | None = None
    """Language of the conversation so far, if known."""
    dialogue: Mapping[str, Any] = field(default_factory=dict)
    """The agent's own memory of the last effective turn (JSON values): function in progress, collected parameters,
    the parameter asked for, failures in a row."""
    is_first_reply: bool = True
    """No automatic message of this context window has said yet that an assistant answers."""
    told_closed_at: datetime | None = None
    """When the customer was last told that the team is closed."""
    summary: str = ""
    """What was said in this context window up to ``summary_upto_id``, by a language model. Untrusted."""
    summary_upto_id: int = 0


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of the tenant's knowledge. ``score`` in [0, 1], higher is nearer."""

    ref: str
    title: str
    text: str
    score: float
    language: str = "pt"
    page: int | None = None

    @property
    def place(self) -> str:
        """Where it stands, for a person: ``Manual · Garantia · p. 3``."""
        return f"{self.title} · p. {self.page}" if self.page else self.title


@dataclass(frozen=True, slots=True)
class CallResult:
    """Outcome of a business function. ``refused`` means that the turn is void (fence) and must stop at once."""

    outcome: Literal["succeeded", "business_error", "failed", "unknown", "refused"]
    result: Any = None
    error_code: str | None = None
    duration_ms: float = 0.0


class CallFunction(Protocol):
    """Runs a business function under the flows' rules: fence and call row before a write, timeout, idempotency key."""

    async def __call__(self, function: BusinessFunction, arguments: Mapping[str, Any], ordinal: int) -> CallResult: ...


class IdentityCheck(Protocol):
    """Whether the contact has proven who it is. The flows keep it; what a language model says changes nothing."""

    async def standing(self) -> IdentityStanding: ...

    async def begin(self) -> bool:
        """Use up an attempt, before it is made; False: none is left."""
        ...

    async def passed(self) -> None:
        """The attempt that was begun succeeded."""
        ...


@dataclass(frozen=True, slots=True)
class TurnContext:
    """The world, as callables. ``may_call_model`` is False on the fast queue: the turn then ends with needs_model."""

    profile: TenantProfile
    classify: Callable[[str], Awaitable[Classification]]
    search: Callable[[str, str, int], Awaitable[Sequence[Passage]]]
    """(query, language, limit) → passages, best first."""
    call: CallFunction
    now: datetime
    model: LanguageModel | None = None
    """Behind the tenant's budget, where there is one (agent.budgeted_model)."""
    may_call_model: bool = True
    queue_position: Callable[[str | None], Awaitable[int | None]] | None = None
    """Of a conversation handed off now, about this intent: 1 is next. An intent may have a team's queue of its own."""
    identity: IdentityCheck | None = None
    """None: nothing that needs a proven identity may run."""
    policy: Policy | None = None
    """See agent.policy; None: what the profile alone says, for an untagged contact of no number in particular."""
    is_first_reply: bool = False
    """TurnInput's, where an approval is resumed and there is no turn."""
    canary: str = ""
    """The word in the system prompt that no answer may hold; "": this process's own (agent.outgoing). Evals pin it, so
    that a request is the same every time."""


@dataclass(frozen=True, slots=True)
class TurnResult:
    """What the graph returns. With ``needs_model`` nothing was decided: run the turn again where it may wait."""

    decision: Decision | None
    trace: TurnTrace
    dialogue: Mapping[str, Any] = field(default_factory=dict)
    language: str = "pt"
    needs_model: bool = False
    void: bool = False
    """A call was refused by the fence: drop the turn."""
    approval: Mapping[str, Any] | None = None
    """With AskApproval: what ``Agent.start_approval`` needs (JSON values)."""
    notices: tuple[str, ...] = ()
    """What the automatic text says besides: ``disclosure``, ``outside_hours``. Said once per window, so it is kept."""
    earns: str | None = None
    """With Suggest: the intent whose record the operator's verdict adds to (earned autonomy)."""
