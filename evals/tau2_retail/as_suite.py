"""Writes the sample's conversations as a suite.

    python -m evals.tau2_retail.as_suite > evals/tau2_retail/suite.yaml

The same customers and the same scripted model as the benchmark over a database (``python -m evals.tau2_retail``),
played in memory: what is called, in which order, and what the orders and users are afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import yaml

from evals.tau2_retail.customer import CLOSING, requests
from evals.tau2_retail.tasks import Action, Task, load

_CONFIRM: Final = "Reply *yes*"
_HEADER: Final = """\
# The sample of the retail domain of tau2-bench as a suite. Written by evals/tau2_retail/as_suite.py: change that.
# Source: sierra-research/tau2-bench (MIT), see tenants/tau-retail/README.md. The whole benchmark is played over a
# database, with crashes: python -m evals.tau2_retail.
"""


def suite() -> dict[str, Any]:
    """In the form of evals/README.md."""
    return {
        "suite": "tau2-retail",
        "title": "The sample of tau2-bench's retail domain",
        "tenant": "../../tenants/tau-retail",
        "language": "en",
        "tags": ["tau2"],
        "cases": [_case(task) for task in load(sample=True).tasks],
    }


def _case(task: Task) -> dict[str, Any]:
    asked = requests(task)
    says: list[dict[str, Any]] = []
    script: dict[str, Any] = {}
    for place, request in enumerate(asked, 1):
        says += [{"tool_calls": [{"name": one.name, "arguments": dict(one.arguments)}]} for one in request.actions]
        last = request.actions[-1]
        if not last.writes:
            says.append({"reply": CLOSING})
        after = f"request-{place + 1}" if place < len(asked) else ""
        going = {"go": after} if after else {"end": True}
        branches = [
            {"when": {"decision": "ask_approval"}, "go": f"approve-{place}"},
            {"when": {"contains": _CONFIRM}, "go": f"confirm-{place}"},
        ]
        script[f"request-{place}"] = {"say": request.text, "next": [*(branches if last.writes else ()), going]}
        if last.writes:
            script[f"approve-{place}"] = {"operator": "approve_call", "next": [going]}
            script[f"confirm-{place}"] = {"say": "yes", "next": [going]}
    expect: dict[str, Any] = {"calls": {"in_order": [_call(action) for action in _ran(task)]}}
    if changed := _changed(task):
        expect["records"] = changed
    return {
        "name": f"task-{task.id}",
        "critical": True,
        "given": {"understood": False, "model": {"says": says}},
        "script": script,
        "expect": expect,
    }


def _ran(task: Task) -> Iterator[Action]:
    return (action for action in task.actions if action.name != "transfer_to_human_agents")


def _call(action: Action) -> dict[str, Any]:
    outcome = "business_error" if action.refused else "succeeded"
    return {"function": action.name, "arguments": dict(action.arguments), "outcome": outcome}


def _changed(task: Task) -> dict[str, Any]:
    """Orders and users as the benchmark has them after the last call that changed them."""
    found: dict[str, Any] = {}
    for action in task.actions:
        if action.changes and isinstance(action.result, dict):
            kept = {name: value for name, value in action.result.items() if value is not None}
            collection, key = ("orders", "order_id") if "order_id" in kept else ("users", "user_id")
            found.setdefault(collection, {})[kept[key]] = kept
    return found


if __name__ == "__main__":
    print(_HEADER + yaml.safe_dump(suite(), allow_unicode=True, sort_keys=False, width=116), end="")
