"""Budgets with what was spent: for the page where administrators set them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from domain.budgets import Amount, Budgets, Limit, Span
from flows.model_declaration import declared_budgets
from flows.refusals import RefusedError
from flows.tenant_settings import SettingsRefusedError, TenantSettingsDesk
from flows.versions import ANY, check_version, version_of
from store import spending
from store.database import Database, Row

DAYS: Final = 30


@dataclass(frozen=True, slots=True)
class SpanView:
    """A span with its limit and what was spent in it so far; of conversations the dearest of late."""

    span: Span
    limit: Limit
    spent: Amount

    @property
    def share(self) -> float | None:
        """How much of the limit is used, from 0 on; None: no limit. The nearer one, where two are set."""
        shares = [
            used / most
            for used, most in (
                (self.spent.cost_micros, self.limit.cost_micros),
                (self.spent.tokens, self.limit.tokens),
            )
            if most
        ]
        if not shares and (self.limit.cost_micros == 0 or self.limit.tokens == 0):
            return 1.0
        return max(shares, default=None)


@dataclass(frozen=True, slots=True)
class BudgetsView:
    """``days``: (day, what it cost) of the last month, the oldest first, days without any use included.

    ``version`` comes back with a change.
    """

    spans: tuple[SpanView, ...]
    days: tuple[tuple[str, Amount], ...]
    version: str

    @property
    def has_use(self) -> bool:
        return any(amount for _, amount in self.days)


class BudgetsDesk:
    """Shows and changes budgets."""

    def __init__(self, db: Database, settings: TenantSettingsDesk) -> None:
        self._db = db
        self._settings = settings

    async def show(self, tenant_id: UUID) -> BudgetsView:
        """As they are, in the tenant's own time."""
        async with self._db.transaction(tenant_id) as tx:
            row = await tx.fetchrow("SELECT settings, timezone FROM tenant WHERE id = $1", tenant_id)
            local = datetime.now(UTC).astimezone(ZoneInfo(row["timezone"]))
            budgets = declared_budgets(row["settings"]).budgets()
            days = [(local - timedelta(days=back)).strftime("%Y-%m-%d") for back in range(DAYS - 1, -1, -1)]
            by_day = await spending.by_key(tx, tenant_id, Span.DAY, days)
            spans = (
                SpanView(Span.DAY, budgets.day, by_day.get(days[-1], Amount())),
                SpanView(Span.MONTH, budgets.month, await spending.spent(tx, tenant_id, Span.MONTH, f"{local:%Y-%m}")),
                SpanView(Span.CONVERSATION, budgets.conversation, await spending.dearest(tx, tenant_id)),
            )
        return BudgetsView(spans, tuple((day, by_day.get(day, Amount())) for day in days), _version(row))

    async def change(
        self, tenant_id: UUID, wishes: Mapping[str, tuple[str, str]], *, actor: str, version: str | None = ANY
    ) -> None:
        """By span (day, month, conversation): money and tokens as typed; both empty: no limit.

        Raises RefusedError or ChangedMeanwhileError; then nothing was changed.
        """
        asked: dict[str, str] = {}
        for span in Span:
            money, tokens = (part.strip() for part in wishes.get(span.value, ("", "")))
            asked[f"budgets.{span}"] = ", ".join(part for part in (_money(span, money), _tokens(span, tokens)) if part)
        try:
            async with self._db.joined(tenant_id) as tx:
                row = await tx.fetchrow("SELECT settings FROM tenant WHERE id = $1 FOR UPDATE", tenant_id)
                check_version("the budgets", version, _version(row))
                await self._settings.change(tenant_id, asked, actor=actor)
        except SettingsRefusedError as error:
            unpriced = [what for key, what in error.problems if key == "model.prices"]
            if unpriced:
                raise RefusedError(
                    "money", "A limit in money needs the prices of the language model: set them first, or limit tokens."
                ) from error
            raise RefusedError("budgets", "%(what)s", what="; ".join(what for _, what in error.problems)) from error


def _version(row: Row) -> str:
    return version_of(row["settings"].get("budgets"))


def _money(span: Span, text: str) -> str:
    if not text:
        return ""
    point = max(text.rfind("."), text.rfind(","))
    whole, part = (text[:point], text[point + 1 :]) if point >= 0 else (text, "")
    # "1.234" is a thousand to some and little more than one to others.
    unclear = len(part) == 3 and not {".", ","} & set(whole)
    plain = f"{whole.replace('.', '').replace(',', '')}.{part or 0}" if not unclear else ""
    try:
        amount = float(plain)
    except ValueError:
        amount = -1.0
    if not 0 <= amount <= 1_000_000:
        raise RefusedError(f"{span}.money", "%(text)s is no amount of money. Write it like 12.50.", text=text[:40])
    return f"{amount:.6f}".rstrip("0").rstrip(".")


def _tokens(span: Span, text: str) -> str:
    if not text:
        return ""
    plain = text.replace(".", "").replace(",", "").replace(" ", "")
    if not plain.isascii() or not plain.isdigit() or len(plain) > 15:
        raise RefusedError(f"{span}.tokens", "%(text)s is no whole number of tokens.", text=text[:40])
    return f"{int(plain)} tokens"


__all__ = ["DAYS", "Budgets", "BudgetsDesk", "BudgetsView", "SpanView"]
