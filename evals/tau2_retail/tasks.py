"""The benchmark's tasks and data, and the digest by which a final database is compared.

They are read from ``data/tau2_retail`` in the folder that ATENDE_SHARED names (or in ``shared`` beside the checkout);
where that is absent, from a sample: a few tasks (``sample_tasks.jsonl``) over the example tenant's own data, which are
just what these tasks touch (``evals.tau2_retail.sample`` made both). Source: sierra-research/tau2-bench (MIT), see
tenants/tau-retail/README.md.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

FOLDER: Final = Path(__file__).parent
CHECKOUT: Final = FOLDER.parents[1]
TENANT: Final = CHECKOUT / "tenants" / "tau-retail"
SAMPLE_TASKS: Final = FOLDER / "sample_tasks.jsonl"
COLLECTIONS: Final = ("products", "users", "orders")
WRITES: Final = frozenset(
    {
        "cancel_pending_order",
        "exchange_delivered_order_items",
        "modify_pending_order_address",
        "modify_pending_order_items",
        "modify_pending_order_payment",
        "modify_user_address",
        "return_delivered_order_items",
    }
)
_LATER_FIELDS: Final = (
    "cancel_reason",
    "exchange_items",
    "exchange_new_items",
    "exchange_payment_method_id",
    "exchange_price_difference",
    "return_items",
    "return_payment_method_id",
)
"""What an order gets by what is done to it; the benchmark's model of an order holds null before."""

Data = dict[str, dict[str, dict[str, Any]]]
"""``products``, ``users`` and ``orders`` by their ids."""


@dataclass(frozen=True, slots=True)
class Action:
    """One call of the ground truth. ``result``: what it returned, or the words of its refusal."""

    name: str
    arguments: Mapping[str, Any]
    refused: bool
    result: Any

    @property
    def writes(self) -> bool:
        return self.name in WRITES

    @property
    def changes(self) -> bool:
        """It acts, rather than being refused."""
        return self.writes and not self.refused


@dataclass(frozen=True, slots=True)
class Task:
    """One conversation: what must be called, and the digest of the database after it."""

    id: str
    actions: tuple[Action, ...]
    final_digest: str


@dataclass(frozen=True, slots=True)
class Benchmark:
    """All tasks over one initial database."""

    data: Data
    tasks: tuple[Task, ...]
    source: str


def shared_folder() -> Path:
    """Where the whole benchmark lies; it may not be there."""
    return Path(os.environ.get("ATENDE_SHARED") or CHECKOUT.parent / "shared") / "data" / "tau2_retail"


def load(*, sample: bool = False) -> Benchmark:
    """The whole benchmark where it is there and no ``sample`` is asked for, else the sample."""
    folder = shared_folder()
    if folder.is_dir() and not sample:
        whole: Data = json.loads((folder / "db.json").read_text(encoding="utf-8"))
        return Benchmark(_completed(whole), _tasks(folder / "tasks_golden.jsonl"), "the whole benchmark")
    part = {name: json.loads((TENANT / "data" / f"{name}.json").read_text(encoding="utf-8")) for name in COLLECTIONS}
    return Benchmark(_completed(part), _tasks(SAMPLE_TASKS), "the sample")


def digest(data: Data) -> str:
    """SHA-256 of the data as canonical JSON."""
    text = json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _completed(data: Data) -> Data:
    for order in data["orders"].values():
        for name in _LATER_FIELDS:
            order.setdefault(name, None)
    return data


def _tasks(file: Path) -> tuple[Task, ...]:
    return tuple(_task(json.loads(line)) for line in file.read_text(encoding="utf-8").splitlines())


def _task(row: Mapping[str, Any]) -> Task:
    actions = tuple(
        Action(each["name"], each["arguments"], each["error"], _result(each["result"], refused=each["error"]))
        for each in row["actions"]
    )
    return Task(str(row["task"]), actions, row["final_db_sha256"])


def _result(text: str, *, refused: bool) -> Any:
    if refused:
        return text.removeprefix("Error: ")
    # Texts such as a user id stand there as they are; a sum such as 41.92 is a text too.
    return json.loads(text) if text.startswith("{") else text
