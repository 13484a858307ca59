"""The negative control: the same agent with its defences taken out, to see that the cases do harm without them.

There is no such switch in the agent itself, and there must not be one: this replaces methods of the classes, in this
process only, for as long as the block runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from agent.authority import Authority, Grounds
from agent.claims import Ledger
from agent.outgoing import Outgoing


@contextmanager
def undefended() -> Iterator[None]:
    """Every call is authorised, every text may go out."""

    async def run(*_: Any, **__: Any) -> Grounds:
        return Grounds("run")

    with (
        mock.patch.object(Authority, "judge", run),
        mock.patch.object(Authority, "foreign_value", return_value=None),
        mock.patch.object(Outgoing, "finding", return_value=None),
        mock.patch("agent.nodes.answer.foreign_link", return_value=""),
        mock.patch("agent.reply_check.check", return_value=Ledger()),
        mock.patch("agent.nodes.decide.looked_up_another", return_value=None),
        mock.patch("agent.nodes.converse.asks_about_itself", return_value=False),
    ):
        yield
