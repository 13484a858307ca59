"""A tenant's language model and what it may cost, as declared in tenant.yaml or with ``atende tenant set``.

The key is never declared here: it is a secret of the tenant's (``MODEL_KEY``), sealed at rest.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from agent.language_model import ModelPrice, ModelSettings
from domain.budgets import Budgets, Limit, read_prices
from domain.told import Told

MODEL_KEY: Final = "model.api_key"
"""Name of the secret that holds the key for the tenant's endpoint."""

_OURS: Final = frozenset({"messages", "tools", "model", "stream", "n", "timeout"})
"""Options of a request that Atende itself sets."""
_LIMIT: Final = re.compile(r"(?:(?P<cost>[\d.,]+)|(?P<tokens>[\d_]+)\s*(?:tokens?|t))", re.IGNORECASE)


def _web_address(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.query or parts.fragment:
        raise ValueError(Told("address", "must be an address such as https://api.example.com/v1, without a key in it"))
    return value.rstrip("/")


Name = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True, pattern=r"^\S+$")]
Address = Annotated[str, StringConstraints(max_length=500, strip_whitespace=True), AfterValidator(_web_address)]
Money = Annotated[Decimal, Field(ge=0, le=1_000_000)]
Price = Annotated[float, Field(ge=0, le=100_000)]
Tokens = Annotated[int, Field(ge=0, le=10**15)]


class _Declared(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PriceDeclaration(_Declared):
    """In units of the tenant's currency per million tokens, as price lists say it."""

    input: Price
    output: Price
    cached_input: Price | None = None


class ModelDeclaration(_Declared):
    """Section ``model``. What is missing is the installation's; its key goes to no address but its own."""

    name: Name | None = None
    base_url: Address | None = None
    fallback: Name | None = None
    summary: Name | None = None
    timeout_seconds: Annotated[float, Field(ge=1, le=120)] = 20
    deadline_seconds: Annotated[float, Field(ge=1, le=240)] = 45
    attempts: Annotated[int, Field(ge=1, le=6)] = 3
    prices: dict[Name, PriceDeclaration] = {}
    options: dict[Name, Any] = {}

    @model_validator(mode="after")
    def _fits_together(self) -> ModelDeclaration:
        if self.deadline_seconds < self.timeout_seconds:
            raise ValueError(Told("longest_wait", "deadline_seconds must not be smaller than timeout_seconds"))
        if ours := sorted(_OURS & set(self.options)):
            raise ValueError(
                Told("own_options", "options must not hold {names}: Atende sets them itself", names=", ".join(ours))
            )
        return self

    def settings(
        self, installation: ModelSettings | None, key: str | None, allowed_hosts: frozenset[str] = frozenset()
    ) -> ModelSettings | None:
        """What the agent uses; None: no model. ``key``: the tenant's own, if it has one. ``allowed_hosts``: those of
        our own network that this tenant may reach, besides the installation's."""
        name = self.name or (installation.model if installation else None)
        if not name:
            return None
        base = installation or ModelSettings(name)
        # Whoever may set the address could otherwise have the installation's key sent to it.
        is_ours = self.base_url is None or self.base_url == base.base_url.rstrip("/")
        shares_key = key is None and is_ours
        return replace(
            base,
            model=name,
            base_url=self.base_url or base.base_url,
            api_key=base.api_key if shares_key else key or "",
            timeout_seconds=self.timeout_seconds,
            deadline_seconds=self.deadline_seconds,
            max_attempts=self.attempts,
            fallback_model=self.fallback or (base.fallback_model if self.name is None else None),
            summary_model=self.summary or (base.summary_model if self.name is None else None),
            prices={**base.prices, **{model: ModelPrice(**p.model_dump()) for model, p in self.prices.items()}},
            options=self.options,
            is_tenants_own=not is_ours,
            private_hosts=base.private_hosts | allowed_hosts,
        )


class LimitDeclaration(_Declared):
    """The most of one span: money in the tenant's currency, tokens of input and output together."""

    cost: Money | None = None
    tokens: Tokens | None = None

    def limit(self) -> Limit:
        """The same as it is counted."""
        return Limit(None if self.cost is None else int(self.cost * 1_000_000), self.tokens)


class BudgetsDeclaration(_Declared):
    """Section ``budgets``. A conversation counts anew when it is opened again; days and months are the tenant's own."""

    conversation: LimitDeclaration = LimitDeclaration()
    day: LimitDeclaration = LimitDeclaration()
    month: LimitDeclaration = LimitDeclaration()

    def budgets(self) -> Budgets:
        """The same as it is counted."""
        return Budgets(self.day.limit(), self.month.limit(), self.conversation.limit())


def declared_model(settings: Mapping[str, Any]) -> ModelDeclaration:
    """From ``tenant.settings``."""
    return ModelDeclaration.model_validate(settings.get("model") or {})


def declared_budgets(settings: Mapping[str, Any]) -> BudgetsDeclaration:
    """From ``tenant.settings``."""
    return BudgetsDeclaration.model_validate(settings.get("budgets") or {})


def unpriced(model: ModelDeclaration, budgets: BudgetsDeclaration) -> list[str]:
    """Models named here that have no price although money is limited: their calls would cost nothing on paper."""
    if not budgets.budgets().limit_money:
        return []
    named = dict.fromkeys(filter(None, (model.name, model.fallback, model.summary)))
    return [name for name in named if name not in model.prices]


def read_limit(text: str) -> dict[str, Any]:
    """``20.00``, ``500000 tokens`` or both with a comma and a space between: a LimitDeclaration as JSON.

    Raises ValueError.
    """
    found: dict[str, Any] = {}
    for part in re.split(r"[;,]\s+|\s*;\s*", text.strip()):
        match = _LIMIT.fullmatch(part.strip())
        kind = match.lastgroup if match else None
        if match is None or kind is None or kind in found:
            raise ValueError(
                Told(
                    "limit", "must be money such as 20.00, or such as 500000 tokens, or both, not {given!r}", given=text
                )
            )
        found[kind] = int(match[kind].replace("_", "")) if kind == "tokens" else match[kind].replace(",", ".")
    return _checked(LimitDeclaration, found)


def read_options(text: str) -> dict[str, Any]:
    """A JSON object. Raises ValueError."""
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise ValueError(  # noqa: TRY004 - of a text
            Told("json_object", 'must be a JSON object such as {{"max_completion_tokens": 800, "max_tokens": null}}')
        )
    return found


def read_address(text: str) -> str:
    """An endpoint's base address. Raises ValueError."""
    return _web_address(text)


def read_name(text: str) -> str:
    """A model's name. Raises ValueError."""
    if not re.fullmatch(r"\S{1,200}", text):
        raise ValueError(Told("model_name", "must be a model's name without spaces, not {given!r}", given=text))
    return text


def _checked(kind: type[_Declared], found: dict[str, Any]) -> dict[str, Any]:
    try:
        return kind.model_validate(found).model_dump(mode="json", exclude_none=True)
    except ValidationError as error:
        first = error.errors()[0]
        raise ValueError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error


__all__ = [
    "MODEL_KEY",
    "BudgetsDeclaration",
    "ModelDeclaration",
    "declared_budgets",
    "declared_model",
    "read_address",
    "read_limit",
    "read_name",
    "read_options",
    "read_prices",
    "unpriced",
]
