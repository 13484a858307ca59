"""Calls of business functions in the evidence of a turn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agent.state import Evidence
from agent.turn import CallResult
from domain.decisions import ToolCall


def record(evidence: Evidence, function: str, arguments: Mapping[str, Any], result: CallResult) -> Evidence:
    """Add a call that ran to the evidence; a refused one never ran."""
    if result.outcome == "refused":
        return evidence
    detail = f"{function}: {result.outcome}" + (f" ({result.error_code})" if result.error_code else "")
    call = ToolCall(function, dict(arguments), result.outcome, result.result, result.duration_ms)
    return evidence.called(call).because("function", detail)
