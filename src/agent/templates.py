"""Texts with variables: the one sandboxed, strict Jinja2 environment in which replies and fixed texts are rendered.

A template is a tenant's, its values may come from a customer: values are inserted as plain text, never read as a
template.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from functools import lru_cache
from typing import Any, Final

from jinja2 import StrictUndefined, Template, TemplateError, meta, pass_context
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from domain.errors import AtendeError


class TemplateFailedError(AtendeError):
    """A text could not be rendered, or came out empty. ``name`` says which one; it must never reach a customer."""

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(
            f"The text {name} cannot be rendered: {problem}.",
            hint="Correct it in the tenant's files; see its variables.",
        )
        self.name = name
        self.problem = problem


class _Environment(ImmutableSandboxedEnvironment):
    def getattr(self, obj: Any, attribute: str) -> Any:
        # JSON objects first: `result.items` is the order's items, not a method of the dict.
        if isinstance(obj, Mapping):
            return obj[attribute] if attribute in obj else self.undefined(obj=obj, name=attribute)
        return super().getattr(obj, attribute)


@pass_context
def _money(context: Context, value: float | str) -> str:
    """Brazilian reais in the customer's notation: R$ 1.234,56 (pt, es) or R$ 1,234.56 (en)."""
    text = f"{float(value):,.2f}"
    return f"R$ {text if context.get('language') == 'en' else text.translate(str.maketrans(',.', '.,'))}"


@pass_context
def _date(context: Context, value: date | str) -> str:
    """An ISO date or date-time as 31/12/2025 (pt, es) or Dec 31, 2025 (en)."""
    day = datetime.fromisoformat(value).date() if isinstance(value, str) else value
    if context.get("language") != "en":
        return f"{day:%d/%m/%Y}"
    return f"{_MONTHS[day.month - 1]} {day.day}, {day.year}"


_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def _environment() -> _Environment:
    environment = _Environment(undefined=StrictUndefined, autoescape=False)
    environment.filters["money"] = _money
    environment.filters["date"] = _date
    return environment


_ENVIRONMENT: Final = _environment()


@lru_cache(maxsize=4096)
def _compiled(source: str) -> Template:
    return _ENVIRONMENT.from_string(source)


def variables_of(name: str, source: str) -> frozenset[str]:
    """The variables that ``source`` needs; raises TemplateFailedError on bad syntax or an unknown filter."""
    try:
        _compiled(source)
        return frozenset(meta.find_undeclared_variables(_ENVIRONMENT.parse(source)))
    except TemplateError as error:
        raise TemplateFailedError(name, f"{error} (line {getattr(error, 'lineno', 1)})") from error


def render(name: str, source: str, variables: Mapping[str, Any]) -> str:
    """Render ``source``; ``variables`` must hold all that it uses, ``language`` for the filters ``money`` and ``date``.

    Raises TemplateFailedError on bad syntax, an unknown variable, a failing filter, or an empty outcome.
    """
    try:
        text = _compiled(source).render(variables).strip()
    except (TemplateError, ValueError, TypeError, ArithmeticError, LookupError, AttributeError) as error:
        raise TemplateFailedError(name, f"{type(error).__name__}: {error}") from error
    if not text:
        raise TemplateFailedError(name, "it came out empty")
    return text
