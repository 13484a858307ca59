"""Cut the sample out of the whole benchmark.

    python -m evals.tau2_retail.sample ID…

Writes the example tenant's data and ``sample_tasks.jsonl``. The final digest of a sample's task is that of the same
part of the whole final database, whose own digest must be the benchmark's.
"""

from __future__ import annotations

import asyncio
import copy
import json
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from evals.tau2_retail.tasks import COLLECTIONS, SAMPLE_TASKS, TENANT, Data, Task, digest, load, shared_folder
from flows.attempts import attempt
from flows.tenant_files import load_functions
from tools.declaration import ToolContext
from tools.records import InMemoryRecords


async def final_data(task: Task, data: Data) -> Data:
    """The data after the task's actions, done by the functions alone: no agent, no flows."""
    functions, records = load_functions(TENANT), InMemoryRecords(copy.deepcopy(data))
    context = ToolContext("", "", (), "en", ZoneInfo("UTC"), datetime.now(UTC), records, "")
    for action in task.actions:
        arguments = {name: value for name, value in action.arguments.items() if value != ""}
        result = await attempt(functions[action.name], context, arguments)
        if (result.outcome == "business_error") != action.refused:
            raise AssertionError(f"task {task.id}: {action.name} came to {result.outcome}")
    return {name: dict(rows) for name, rows in records._collections.items()}


def part_of(tasks: Sequence[Task], data: Data) -> dict[str, list[str]]:
    """The keys of all that these tasks touch: users, all their orders, and the products of all of it."""
    text = json.dumps([[dict(action.arguments), action.result] for task in tasks for action in task.actions])
    users = {key for key in data["users"] if f'"{key}"' in text}
    users |= {order["user_id"] for key, order in data["orders"].items() if f'"{key}"' in text}
    orders = {key for user in users for key in data["users"][user]["orders"]}
    products = {item["product_id"] for key in orders for item in data["orders"][key]["items"]}
    products |= {key for key in data["products"] if f'"{key}"' in text}
    return {"users": sorted(users), "orders": sorted(orders), "products": sorted(products)}


async def main(ids: Sequence[str]) -> None:
    """Write the sample of these tasks."""
    whole = load()
    original: Data = json.loads((shared_folder() / "db.json").read_text(encoding="utf-8"))
    chosen = [task for task in whole.tasks if task.id in ids]
    keys = part_of(chosen, whole.data)
    finals: dict[str, str] = {}
    for task in chosen:
        final = await final_data(task, whole.data)
        if digest(final) != task.final_digest:
            raise AssertionError(f"task {task.id}: the final database is not the benchmark's")
        finals[task.id] = digest(_cut(final, keys))
    for name, rows in _cut(original, keys).items():
        lines = ",\n".join(f"  {json.dumps(key)}: {json.dumps(row, ensure_ascii=False)}" for key, row in rows.items())
        (TENANT / "data" / f"{name}.json").write_text(f"{{\n{lines}\n}}\n", encoding="utf-8")
    golden = (shared_folder() / "tasks_golden.jsonl").read_text(encoding="utf-8").splitlines()
    tasks = [row for row in map(json.loads, golden) if str(row["task"]) in finals]
    kept = [
        {"task": row["task"], "actions": row["actions"], "final_db_sha256": finals[str(row["task"])]} for row in tasks
    ]
    SAMPLE_TASKS.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in kept), encoding="utf-8")


def _cut(data: Mapping[str, Mapping[str, Any]], keys: Mapping[str, Sequence[str]]) -> Data:
    return {name: {key: data[name][key] for key in keys[name]} for name in COLLECTIONS}


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
