"""Message templates as Graph describes them: read, and filled in.

``GET /{account id}/message_templates`` lists them in pages. A template's text has variables, either by position
(``{{1}}``) or by name (``{{order_number}}``), in its body, in a text header (one) and in the address of a button.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from channels.gateway import GatewayUnavailableError
from domain.contents import Template, TemplateButton
from domain.errors import InvalidInputError

from .envelope import pick

FIELDS = "id,name,language,status,category,components,parameter_format,quality_score,rejected_reason"
Ask = Callable[[str, Mapping[str, str]], Awaitable[Any]]
"""GET a path with parameters; the JSON of the answer."""

_PAGE = 200
_MOST_PAGES = 100
_VARIABLE = re.compile(r"\{\{\s*([A-Za-z0-9_]+)\s*\}\}")
_LONGEST_VALUE = 1024


@dataclass(frozen=True, slots=True)
class Definition:
    """A template. ``inputs`` are its variables in the order in which they are asked for."""

    name: str
    language: str
    status: str
    category: str = ""
    quality: str = ""
    reason: str = ""
    header: str = ""
    body: str = ""
    footer: str = ""
    buttons: tuple[tuple[int, Literal["url", "copy_code"], str], ...] = ()
    """Those that need a value: index, kind, address (with its variable) or caption."""
    named: bool = False
    unsupported: str = ""
    """Why it cannot be sent from here; "" where it can."""

    @property
    def inputs(self) -> tuple[str, ...]:
        """ "header", the body's variables, then "button 1", "button 2" … for those buttons that need a value."""
        header = ("header",) if variables(self.header) else ()
        return (*header, *variables(self.body), *(f"button {index + 1}" for index, _, _ in self.buttons))


def variables(text: str) -> tuple[str, ...]:
    """The variables in a text, each once: by number where they are numbers, else in the order of the text."""
    found = dict.fromkeys(_VARIABLE.findall(text))
    return tuple(sorted(found, key=int)) if found and all(name.isdigit() for name in found) else tuple(found)


def read_definition(data: object) -> Definition | None:
    """One item of Graph's list; None where it is no template."""
    name, language = _text(pick(data, "name")), _text(pick(data, "language"))
    if not name or not language:
        return None
    found: dict[str, Any] = {"header": "", "body": "", "footer": ""}
    buttons: list[tuple[int, Literal["url", "copy_code"], str]] = []
    unsupported = ""
    components = pick(data, "components")
    for component in components if isinstance(components, list) else []:
        kind = _text(pick(component, "type")).upper()
        match kind:
            case "HEADER" if (form := _text(pick(component, "format")).upper()) not in ("", "TEXT"):
                unsupported = f"its header is a file or a place ({form.lower()})"
            case "HEADER" | "BODY" | "FOOTER":
                found[kind.lower()] = _text(pick(component, "text"))
            case "BUTTONS":
                items = pick(component, "buttons")
                read, problem = _read_buttons(items if isinstance(items, list) else [])
                buttons, unsupported = read, unsupported or problem
            case _:
                unsupported = unsupported or f"it has a part that is not known here ({kind.lower()[:40]})"
    return Definition(
        name=name,
        language=language,
        status=_text(pick(data, "status")).upper() or "UNKNOWN",
        category=_text(pick(data, "category")),
        quality=_text(pick(data, "quality_score", "score")),
        reason=reason if (reason := _text(pick(data, "rejected_reason"))) != "NONE" else "",
        buttons=tuple(buttons),
        named=_text(pick(data, "parameter_format")).upper() == "NAMED",
        unsupported=unsupported,
        **found,
    )


def _read_buttons(items: Sequence[object]) -> tuple[list[tuple[int, Literal["url", "copy_code"], str]], str]:
    needed: list[tuple[int, Literal["url", "copy_code"], str]] = []
    for index, button in enumerate(items):
        match _text(pick(button, "type")).upper():
            case "URL" if variables(_text(pick(button, "url"))):
                needed.append((index, "url", _text(pick(button, "url"))))
            case "COPY_CODE":
                needed.append((index, "copy_code", _text(pick(button, "text"))))
            case "OTP" | "FLOW" | "CATALOG" | "MPM" | "SPM" as kind:
                return needed, f"it has a button that is not known here ({kind.lower()})"
    return needed, ""


def fill(definition: Definition, values: Sequence[str]) -> tuple[Template, str]:
    """The template with ``values`` for its ``inputs``, and how it reads. Raises InvalidInputError."""
    if definition.unsupported:
        raise InvalidInputError("template", f"{definition.name} cannot be sent from here: {definition.unsupported}")
    wanted = definition.inputs
    if len(values) != len(wanted):
        listed = ", ".join(wanted) or "none"
        raise InvalidInputError(
            "variables", f"{definition.name} has {len(wanted)}, not {len(values)}", hint=f"They are: {listed}."
        )
    cleaned = [_clean(name, value) for name, value in zip(wanted, values, strict=True)]
    given = dict(zip(wanted, cleaned, strict=True))
    body = variables(definition.body)
    in_header = variables(definition.header)
    template = Template(
        definition.name,
        definition.language,
        variables=tuple(given[name] for name in body),
        names=body if definition.named else (),
        header=given.get("header", ""),
        header_name=in_header[0] if in_header and definition.named else "",
        buttons=tuple(
            TemplateButton(index, kind, given[f"button {index + 1}"]) for index, kind, _ in definition.buttons
        ),
    )
    header = _replace(definition.header, dict.fromkeys(in_header, template.header))
    parts = (header, _replace(definition.body, given), definition.footer)
    return template, "\n\n".join(part for part in parts if part)


def _clean(name: str, value: str) -> str:
    """Meta refuses line breaks, tabs and runs of spaces in a variable."""
    text = " ".join(value.split())
    if not text:
        raise InvalidInputError("variables", f"{name} is empty")
    if len(text) > _LONGEST_VALUE:
        raise InvalidInputError("variables", f"{name} is longer than {_LONGEST_VALUE} characters")
    return text


def _replace(text: str, given: Mapping[str, str]) -> str:
    return _VARIABLE.sub(lambda found: given.get(found[1], found[0]), text)


def as_json(definition: Definition) -> dict[str, Any]:
    """JSON values that ``from_json`` reads back."""
    return asdict(definition)


def from_json(values: Mapping[str, Any]) -> Definition:
    """Read a stored definition back."""
    return Definition(**{**values, "buttons": tuple((int(i), kind, text) for i, kind, text in values["buttons"])})


async def list_definitions(ask: Ask, account: str) -> list[Definition]:
    """All templates of an account, every page of them. Raises what ``ask`` raises.

    A page that cannot be read is an error: a list that only looks complete would make templates disappear.
    """
    found: dict[tuple[str, str], Definition] = {}
    after = ""
    for _ in range(_MOST_PAGES):
        params = {"fields": FIELDS, "limit": str(_PAGE), **({"after": after} if after else {})}
        page = await ask(f"/{account}/message_templates", params)
        items = pick(page, "data")
        if not isinstance(items, list):
            raise GatewayUnavailableError("WhatsApp's Cloud API answered without a list of templates.")
        for item in items:
            if definition := read_definition(item):
                found[definition.name, definition.language] = definition
        cursor = pick(page, "paging", "cursors", "after")
        # The last page has cursors too, but no address of a next one.
        if not items or not pick(page, "paging", "next") or not isinstance(cursor, str) or cursor == after:
            return list(found.values())
        after = cursor
    raise GatewayUnavailableError("WhatsApp's Cloud API lists templates without an end.")


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
