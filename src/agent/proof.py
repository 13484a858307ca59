"""What a tenant's own checking function said, apart from the graph: the web process asks it and loads no graph."""

from __future__ import annotations

from collections.abc import Mapping

from agent.turn import CallResult


def proves(result: CallResult) -> bool:
    """A result that says no is a no, although the function did not refuse."""
    if result.outcome != "succeeded" or result.result in (None, False, "", [], {}):
        return False
    return not (isinstance(result.result, Mapping) and result.result.get("verified", True) is not True)
