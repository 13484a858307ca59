"""The state in which a case begins: a stage of its own, the business data, the contact, what was said before."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any, Final

from agent.announcing import DISCLOSURE
from agent.classifier import Classification
from agent.graph import Agent
from agent.identity import IdentityInMemory
from agent.language_model import LanguageModel
from agent.normalise import words
from agent.policy import policy_of
from agent.turn import Passage, TenantProfile
from agent.untrusted import plain
from domain.messages import Author, MessageKind
from evaluation.asked_models import AbsentModel, Asked, SayingModel
from evaluation.cases import Case, Given, Said, ScriptedModel
from evaluation.conversation import Conversation
from evaluation.model import CANARY
from evaluation.results import BundleRef
from evaluation.stage import Circumstances, Stage
from evaluation.tenant import OfflineTenant
from flows.demo_scripts import DemoContact, OperatorAction
from flows.tenant_declaration import TenantDeclaration, resolve_days, seed_records
from tools.records import InMemoryRecords

DEFAULT_NOW: Final = datetime(2026, 11, 18, 10, 30)  # noqa: DTZ001 - in each tenant's own zone
"""When cases happen that say no time: a Wednesday morning, so that results do not hang on the day they are made."""
_COMMAND_CHARACTERS: Final = 90
"""As in flows.consent."""
_COMMAND_KINDS: Final = {MessageKind.TEXT, MessageKind.BUTTON_ANSWER, MessageKind.LIST_ANSWER}


@dataclass(frozen=True, slots=True)
class Contender:
    """A bundle, ready to be played: the tenant as the bundle has it, in memory, and the agent over its prompts."""

    ref: BundleRef
    declaration: TenantDeclaration
    tenant: OfflineTenant
    agent: Agent
    _seeds: dict[date, InMemoryRecords] = field(default_factory=dict, repr=False, compare=False)

    def seeds(self, today: date) -> InMemoryRecords:
        """The business data of the tenant's folder, as they are on that day."""
        if today not in self._seeds:
            self._seeds[today] = InMemoryRecords(seed_records(self.declaration, today))
        return self._seeds[today]


@dataclass(slots=True)
class Scene:
    """One case under way. Nothing of it is shared with another case."""

    stage: Stage
    conversation: Conversation
    now: datetime
    opted_out: bool
    asked: Asked
    number: str = ""
    tags: set[str] = field(default_factory=set)
    stopped: bool = False

    @classmethod
    def of(cls, case: Case, contender: Contender, model: LanguageModel | None, asked: Asked) -> Scene:
        """As the case's ``given`` has it."""
        given, declaration = case.content.given, contender.declaration
        zone = contender.tenant.profile.timezone
        now = given.now or DEFAULT_NOW
        now = now if now.tzinfo else now.replace(tzinfo=zone)
        today = now.astimezone(zone).date()
        tenant = contender.tenant.apart(
            _records(contender.seeds(today), given.records, today),
            _profile(contender.tenant.profile, given),
        )
        contact = DemoContact(name=given.contact.name, phone=given.contact.phone)
        conversation = Conversation(f"{case.suite}/{case.name}", contact)
        stage = Stage(tenant, contender.agent, lambda: scene.now, conversations={conversation.id: conversation})
        number = given.number or declaration.settings.numbers[0].key
        scene = cls(stage, conversation, now, given.contact.opted_out, asked, number, set(given.contact.tags))
        scene.stopped = given.stopped
        stage.around = Circumstances(
            model=_model(given, model, asked),
            policy=lambda at: policy_of(
                tenant.profile, at, number=scene.number, tags=scene.tags, stopped=scene.stopped
            ),
            passages=tuple(
                Passage(passage.ref, passage.title, passage.text, passage.score, case.content.language or "pt")
                for passage in given.passages
            ),
            canary=CANARY,
            classify=None if given.understood else _not_understood(tenant, asked),
        )
        _begin(conversation, given, now)
        return scene

    @property
    def today(self) -> date:
        """The case's day in the tenant's zone."""
        return self.now.astimezone(self.stage.tenant.profile.timezone).date()

    def wait(self, how_long: timedelta) -> None:
        """Time goes by."""
        self.now += how_long

    async def say(self, messages: tuple[Said, ...]) -> None:
        """The customer writes. A word such as SAIR is the consent ledger's, and starts no turn (flows.consent)."""
        others: list[Said] = []
        for message in messages:
            if self._is_command(message):
                self.conversation.add(Author.CONTACT, message.text, self.now, message.kind)
                self.conversation.answered_upto = max(self.conversation.answered_upto, len(self.conversation.messages))
            else:
                others.append(message)
        if others:
            await self.stage.say(self.conversation, others)

    async def operate(self, action: OperatorAction) -> str:
        """A person acts; returns why that cannot be done, or ""."""
        match action.do:
            case "tag":
                self.tags.add(action.text)
            case "stop" | "resume":
                self.stopped = action.do == "stop"
            case _:
                return await self.stage.operate(action, self.conversation)
        return ""

    def _is_command(self, message: Said) -> bool:
        if message.kind not in _COMMAND_KINDS or len(message.text) > _COMMAND_CHARACTERS:
            return False
        profile = self.stage.tenant.profile
        said = " ".join(words(plain(message.text)))
        command = profile.consent.command(said)
        if command is None or (command == "opt_in" and not self.opted_out):
            return False
        if (command == "opt_out") is not self.opted_out:
            self.opted_out = command == "opt_out"
            language = profile.consent.language(said) or self.conversation.language or profile.default_language
            text = self.stage.agent.texts.say(profile, f"{command}_confirmed", language)
            self.conversation.told_by_rule(text, self.now, aloud=self._policy_announces())
        return True

    def _policy_announces(self) -> bool:
        policy = self.stage.around.policy
        return policy is not None and policy(self.now).may_announce_any()


def _begin(conversation: Conversation, given: Given, now: datetime) -> None:
    conversation.language = given.contact.language
    conversation.dialogue = dict(given.dialogue)
    conversation.summary = given.summary
    conversation.status = given.status
    for message in given.messages:
        conversation.add(message.author, message.text, now - message.ago, message.kind)
    conversation.answered_upto = conversation.last_inbound = len(conversation.messages)
    if given.introduced or any(message.author is Author.BOT for message in given.messages):
        conversation.told[DISCLOSURE] = now - timedelta(minutes=10)
    if given.identity_proven:
        conversation.identity = _Proven()


class _Proven(IdentityInMemory):
    def __init__(self) -> None:
        super().__init__()
        self._verified = True


def _profile(profile: TenantProfile, given: Given) -> TenantProfile:
    if given.trust is False:
        return profile
    trusted = frozenset(profile.functions) if given.trust is True else frozenset(given.trust)
    return replace(
        profile,
        trusted_writes=profile.trusted_writes | trusted,
        trusted_only_for={name: intents for name, intents in profile.trusted_only_for.items() if name not in trusted},
        version=f"{profile.version}+trusts",
    )


def _records(
    seeds: InMemoryRecords, given: Mapping[str, Mapping[str, Mapping[str, Any] | None]], today: date
) -> InMemoryRecords:
    if not given:
        return seeds.draft()
    merged = {collection: dict(rows) for collection, rows in seeds.all.items()}
    for collection, rows in given.items():
        there = merged.setdefault(collection, {})
        for key, fields in rows.items():
            if fields is None:
                there.pop(key, None)
            else:
                there[key] = {**there.get(key, {}), **resolve_days(dict(fields), today)}
    return InMemoryRecords(merged)


def _model(given: Given, model: LanguageModel | None, asked: Asked) -> LanguageModel | None:
    match given.model:
        case ScriptedModel():
            return SayingModel(given.model.says, asked)
        case "none":
            return None
        case "unavailable":
            return AbsentModel()
    return model


def _not_understood(tenant: OfflineTenant, asked: Asked) -> Callable[[str], Awaitable[Classification]]:
    async def classify(text: str) -> Classification:
        if asked.calls or asked.scripted:
            return await tenant.classify(text)
        return Classification(None, 0.0, (), 1.0)

    return classify
