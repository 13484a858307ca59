"""The registry of what may be set of a tenant: each setting with how it is read and what holds without it.

A new setting is one entry of SETTINGS. ``flows.tenant_settings`` changes and shows them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final
from zoneinfo import available_timezones

from agent.normalise import words
from agent.templates import TemplateFailedError, variables_of
from agent.texts import load_texts
from domain.decisions import ReplyMode
from domain.sending_pace import is_quiet_span
from domain.told import Told
from flows.model_declaration import MODEL_KEY, read_address, read_limit, read_name, read_options, read_prices
from flows.tenant_declaration import LANGUAGES

_LONGEST: Final = 4_000
_DOMAIN = re.compile(r"([a-z0-9-]+\.)+[a-z]{2,}")

Reader = Callable[[str], Any]
"""From the text of the command line to a JSON value. Raises ValueError with what is wrong ("must be …")."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One thing that may be set. ``key`` is its dotted path in ``tenant.settings``, unless it is a column or secret."""

    key: str
    about: str
    read: Reader
    usual: str = "-"
    """What holds where nothing is set, for people."""
    secret: bool = False
    """Kept sealed (store.secrets) under ``key``, never shown."""
    column: str = ""
    """A column of table tenant instead of its settings."""
    write: Callable[[Any], str] | None = None
    """From the JSON value to the text that ``read`` takes, where ``written`` does not do."""


def written(value: Any) -> str:
    """A value as people type it: yes and no, lists with commas."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def text(longest: int = _LONGEST) -> Reader:
    """Any text that is not empty."""

    def read(value: str) -> str:
        if len(value) > longest or "\0" in value:
            raise ValueError(Told("longest_text", "must be text of at most {most} characters", most=longest))
        return value

    return read


def number(least: float, most: float) -> Reader:
    """A number in [least, most]; 0,8 counts as 0.8."""

    def read(value: str) -> float:
        try:
            found = float(value.replace(",", "."))
        except ValueError:
            found = float("nan")
        if not least <= found <= most:
            english = "must be a number from {least} to {most}, not {given!r}"
            raise ValueError(Told("number", english, least=f"{least:g}", most=f"{most:g}", given=value))
        return found

    return read


def whole_number(least: int, most: int) -> Reader:
    """A whole number in [least, most]."""

    def read(value: str) -> int:
        if not value.isascii() or not value.isdigit() or not least <= int(value) <= most:
            english = "must be a whole number from {least} to {most}, not {given!r}"
            raise ValueError(Told("whole_number", english, least=least, most=most, given=value))
        return int(value)

    return read


def read_quiet_spans(value: str) -> list[str]:
    """Spans of hours separated by commas."""
    spans = [part.strip() for part in value.split(",") if part.strip()]
    if not spans or not all(is_quiet_span(span) for span in spans):
        raise ValueError(Told("quiet_spans", "must be spans such as 21:00-08:00, not {given!r}", given=value))
    return spans


def one_of(*choices: str) -> Reader:
    """One of these words."""

    def read(value: str) -> str:
        if value.lower() not in choices:
            raise ValueError(
                Told("one_of", "must be one of {some}, not {given!r}", some=", ".join(choices), given=value)
            )
        return value.lower()

    return read


def yes_or_no(value: str) -> bool:
    """A switch."""
    if value.lower() not in {"yes", "no", "true", "false", "on", "off"}:
        raise ValueError(Told("yes_or_no", "must be yes or no, not {given!r}", given=value))
    return value.lower() in {"yes", "true", "on"}


def listed(choices: Sequence[str] = ()) -> Reader:
    """Words separated by commas, each one of ``choices`` where there are some."""

    def read(value: str) -> list[str]:
        found = list(dict.fromkeys(part.strip().lower() for part in value.split(",") if part.strip()))
        wrong = [part for part in found if choices and part not in choices]
        if wrong or not found:
            raise ValueError(
                Told("some_of", "must list some of {some}, not {given!r}", some=", ".join(choices), given=value)
            )
        return found

    return read


def read_domains(value: str) -> list[str]:
    """Internet domains separated by commas or lines."""
    found: list[str] = listed()(value.replace("\n", ","))
    wrong = [one for one in found if len(one) > 253 or not _DOMAIN.fullmatch(one)]
    if wrong:
        raise ValueError(Told("domains", "must be domains such as example.com, not {given!r}", given=wrong[0]))
    return found


def read_phrases(value: str) -> list[str]:
    """Words or short phrases separated by commas or lines, as they are compared: small letters, without marks."""
    found = [" ".join(words(part)) for part in value.replace("\n", ",").split(",") if part.strip()]
    if not found or not all(found) or any(len(one) > 60 for one in found) or len(found) > 50:
        raise ValueError(Told("phrases", "must be at most 50 words or short phrases, separated by commas"))
    return list(dict.fromkeys(found))


def wording(name: str, known: Collection[str] = ("business",), longest: int = 1_000) -> Reader:
    """Words for customers; ``known``: what they may name between double braces."""

    def read(value: str) -> str:
        found: str = text(longest)(value)
        try:
            unknown = variables_of(name, found) - set(known)
        except TemplateFailedError:
            raise ValueError(Told("broken_braces", "holds braces that cannot be filled in")) from None
        if unknown:
            english = "holds {name} between braces; there is only {known}"
            raise ValueError(Told("unknown_braces", english, name=sorted(unknown)[0], known=", ".join(known)))
        return found

    return read


@cache
def shipped_words(key: str) -> str:
    """Atende's own wording of a setting ``texts.NAME.LANGUAGE``; "" for any other."""
    first, *rest = key.split(".")
    return load_texts().wording.get(rest[0], {}).get(rest[1], "") if first == "texts" and len(rest) == 2 else ""


def _prices_written(value: Mapping[str, Mapping[str, float]]) -> str:
    return ", ".join(
        f"{name}=" + "/".join(f"{one[kind]:g}" for kind in ("input", "output", "cached_input") if kind in one)
        for name, one in value.items()
    )


def _limit_written(value: Mapping[str, Any]) -> str:
    parts = [str(value["cost"])] if value.get("cost") is not None else []
    return ", ".join([*parts, *([f"{value['tokens']} tokens"] if value.get("tokens") is not None else [])])


def _json_written(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _zone(value: str) -> str:
    if value not in available_timezones():
        raise ValueError(
            Told("time_zone", "must be an IANA time zone such as America/Sao_Paulo, not {given!r}", given=value)
        )
    return value


_MODES: Final = tuple(mode.value for mode in ReplyMode)

SETTINGS: Final[tuple[Setting, ...]] = (
    Setting("name", "what the business is called", text(200), column="name"),
    Setting("timezone", "its IANA time zone", _zone, column="timezone"),
    Setting("default_language", "the language of its files and people", one_of(*LANGUAGES), "pt"),
    Setting("languages", "in which customers are answered", listed(LANGUAGES), "pt, es, en"),
    Setting("persona", "how the assistant introduces itself, for a language model", text()),
    Setting("reply_mode", "auto, suggest or off where no rule says otherwise", one_of(*_MODES), "suggest"),
    Setting("unmatched_mode", "the same for what matched no intent", one_of(*_MODES), "as reply_mode"),
    Setting("threshold", "how sure an intent must be", number(0, 1), "0.8"),
    Setting("knowledge_threshold", "how near a passage must be to be quoted", number(0, 1), "0.5"),
    Setting("debounce.seconds", "wait after a message for the next one", number(0, 60), "1"),
    Setting("debounce.complete_seconds", "the same after a whole sentence", number(0, 60), "1, or less"),
    Setting(
        "debounce.fragment_seconds", "the same after a greeting or half a sentence", number(0, 60), "twice as long"
    ),
    Setting("debounce.typing_seconds", "wait since the customer was last seen typing", number(0, 60), "4"),
    Setting("debounce.cap_seconds", "the longest such wait", number(0, 300), "10"),
    Setting(
        "pacing.split_characters", "longer replies come in several messages; 0: never", whole_number(0, 20_000), "1000"
    ),
    Setting("pacing.show_typing", "show customers that an answer is on its way", yes_or_no, "yes"),
    Setting("media_reading.enabled", "put voice notes, pictures and documents into words", yes_or_no, "yes"),
    Setting("media_reading.most_megabytes", "the largest file that is read", number(0.1, 100), "16"),
    Setting("media_reading.longest_characters", "the most that is kept of a file", whole_number(100, 20_000), "4000"),
    Setting("media_reading.most_files", "files read of one turn", whole_number(1, 20), "5"),
    Setting(
        "media_reading.wait_seconds", "wait for a file that its gateway does not hand out yet", number(0, 900), "60"
    ),
    Setting("handoff.offer_first", "offer a person before giving up", yes_or_no, "yes"),
    Setting("handoff.return_unclaimed", "what nobody claimed goes back when the team opens again", yes_or_no, "no"),
    Setting(
        "handoff.old_message_minutes",
        "what waited longer than this for an answer goes to a person",
        number(1, 43_200),
        "1440",
    ),
    Setting("handoff.vip_tags", "contacts with one of these tags go to a person", read_phrases, "vip"),
    Setting("suggestions_expire_after_hours", "a suggestion that nobody looked at is void", number(0.1, 720), "24"),
    Setting("consent.opt_out_words", "own words that stop messages, beside SAIR, PARAR, STOP …", read_phrases),
    Setting("consent.opt_in_words", "own words that allow them again", read_phrases),
    Setting("quiet_hours.daily", "when nothing automatic leaves: 21:00-08:00, …", read_quiet_spans),
    Setting("quiet_hours.answers", "then to who wrote just now: at_once or wait", one_of("at_once", "wait"), "at_once"),
    Setting("quiet_hours.just_wrote_minutes", "how long ago that may be", number(0.1, 1440), "10"),
    Setting(
        "phone_takeover.release_after_minutes",
        "give a conversation back to the agent so long after somebody typed on the phone",
        number(1, 43_200),
        "until a person returns it",
    ),
    Setting(
        "assignment",
        "conversations of no team: by_hand or round_robin",
        one_of("by_hand", "round_robin"),
        "by_hand",
    ),
    Setting(
        "presence.absent_after_minutes",
        "without a page open, what waits for a person's answer returns to the queue",
        whole_number(1, 1440),
        "10",
    ),
    Setting(
        "closing.quiet_minutes",
        "close what the agent holds so long after the last message",
        whole_number(10, 43_200),
        "1440",
    ),
    Setting("satisfaction.ask", "ask customers for a score after closing", yes_or_no, "no"),
    Setting("satisfaction.after_minutes", "how long after closing", whole_number(1, 1440), "1"),
    Setting("satisfaction.every_days", "the same contact at most once in so many days", whole_number(1, 365), "30"),
    Setting("domains", "internet domains that replies may link to", read_domains),
    Setting("mask_model_prompts", "hide personal data from language models", yes_or_no, "no"),
    Setting("second_reading", "a language model reads its replies again before they go out", yes_or_no, "yes"),
    Setting("model.name", "the language model", read_name, "the installation's"),
    Setting("model.base_url", "where it is reached, OpenAI-compatible", read_address, "the installation's"),
    Setting(MODEL_KEY, "the key for that address", text(500), "the installation's, at its own address", secret=True),
    Setting("model.fallback", "asked at the same address while that one fails", read_name),
    Setting("model.summary", "sums up long conversations", read_name, "as model.name"),
    Setting("model.timeout_seconds", "the longest wait for one answer", number(1, 120), "20"),
    Setting("model.deadline_seconds", "the longest wait with all attempts", number(1, 240), "45"),
    Setting("model.attempts", "tries of one model", whole_number(1, 6), "3"),
    Setting(
        "model.prices",
        "per million tokens: model=INPUT/OUTPUT[/CACHED], …",
        read_prices,
        "tokens only",
        write=_prices_written,
    ),
    Setting("model.options", "JSON object, sent with every request", read_options, write=_json_written),
    Setting(
        "budgets.conversation",
        "most per conversation: 0.50, or 20000 tokens, or both",
        read_limit,
        "no limit",
        write=_limit_written,
    ),
    Setting("budgets.day", "the same per day", read_limit, "no limit", write=_limit_written),
    Setting("budgets.month", "the same per month", read_limit, "no limit", write=_limit_written),
    *(
        Setting(f"texts.{name}.{language}", f"{about}, in {language}", wording(name), "Atende's words")
        for name, about in (
            ("disclosure", "said once before the first automatic reply"),
            ("satisfaction_question", "how customers are asked for a score"),
            ("satisfaction_thanks", "the thanks for it"),
        )
        for language in LANGUAGES
    ),
)
"""Every setting there is. Others add theirs here."""
