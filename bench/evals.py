"""How many cases a second the eval runner plays, in how much memory, and what of a case is the runner's own.

    python bench/evals.py [--cases 2000] [--jobs N] [--alone 200]       JSON on stdout; about two minutes

A suite of as many conversations about the example shop: three of four are served without a model, in the fourth a model
answers, which was recorded before at a local endpoint. ``whole``: the command itself, replaying, with its journal, from
its start to its exit; memory is that of all its processes together (PSS, so that what forks share counts once).
``own``: in this process, one case after the other, everything that is not the agent's graph: staging the case, checks,
journal, document, and replaying what a model said.

The machine is shared: compare figures of one run, not of two.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

sys.path.pop(0)  # a neighbour of this file has the name of a package
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.openai_server import ScriptedOpenAI

from agent.encoder import default_encoder
from agent.language_model import ModelSettings
from evaluation.lineup import ModelTerms, Wanted, line_up
from evaluation.model import EvalModel
from evaluation.runner import Terms, run_cases
from evaluation.suites import find_suites

REPOSITORY = Path(__file__).resolve().parents[1]
MODEL = "bench-model"
LOCAL = (
    ("oi, cadê o meu pedido {order}?", {"intent": "order_status", "decision": "reply", "contains": "{order}"}),
    ("vcs abrem sábado? é pra retirar o {order}", {"turns": 1}),
    ("quero a nota fiscal do pedido {order}", {"intent": "invoice_copy", "asks": "cpf", "records_unchanged": True}),
)
FOR_A_MODEL = "me explica em detalhes a história do bordado número {place}"
ORDERS = ("10231", "10234", "10240", "10247", "10252", "10258")


def suite(folder: Path, count: int) -> Path:
    """The suite's file. Every case is another conversation of another contact."""
    file = folder / "bench.eval.jsonl"
    lines = [json.dumps({"suite": "bench", "tenant": str(REPOSITORY / "tenants" / "loja-aurora"), "language": "pt"})]
    for place in range(count):
        order = ORDERS[place % len(ORDERS)]
        case: dict[str, Any] = {
            "name": f"case-{place}",
            "given": {"contact": {"name": f"Cliente {place}", "phone": f"55319{place:08}"}},
        }
        if place % 4 == 3:
            case["given"]["understood"], case["tags"] = False, ["model"]
            case |= {"say": FOR_A_MODEL.format(place=place), "expect": {"contains": "bordado", "model_calls": 1}}
        else:
            said, expected = LOCAL[place % 4]
            told = json.dumps(expected).replace("{order}", order)
            case |= {"say": said.format(order=order), "expect": json.loads(told)}
        lines.append(json.dumps(case, ensure_ascii=False))
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


def command(file: Path, *options: str) -> list[str]:
    return [str(Path(sys.executable).with_name("atende")), "eval", "run", str(file), *options]


async def record(file: Path, environment: dict[str, str]) -> float:
    """Ask a local endpoint once for all that the suite asks; returns the seconds."""
    said = "O bordado é feito à mão, com carinho."
    async with ScriptedOpenAI([{"when": "", "reply": said}]) as server:
        environment["OPENAI_BASE_URL"] = server.base_url
        started = time.monotonic()
        process = await asyncio.create_subprocess_exec(
            *command(file, "--mode", "live", "--record", "--only", "tag:model"), env=environment, stdout=sys.stderr
        )
        if await process.wait() == 3:
            raise SystemExit("the answers could not be recorded")
        return time.monotonic() - started


def whole(file: Path, environment: dict[str, str], jobs: int, folder: Path) -> dict[str, Any]:
    """The command, from start to exit."""
    out = folder / "run.json"
    options = ["--jobs", str(jobs), "--json", str(out), "--resume", str(folder / "journal.jsonl")]
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    process = subprocess.Popen(command(file, *options), env=environment, stdout=sys.stderr)
    peak = 0
    while process.poll() is None:
        peak = max(peak, _memory(process.pid))
        time.sleep(0.25)
    seconds, after = time.monotonic() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    run = json.loads(out.read_text(encoding="utf-8"))
    results = run["results"]
    return {
        "exit_code": process.returncode,
        "cases": len(results),
        "passed": sum(one["status"] == "passed" for one in results),
        "replayed": sum(one["origin"] == "replayed" for one in results),
        "seconds": round(seconds, 1),
        "cases_per_second": round(len(results) / seconds, 1),
        "cases_per_second_once_ready": round(len(results) / run["seconds"], 1),
        "cpu_seconds": round(cpu, 1),
        "cases_per_cpu_second": round(len(results) / cpu, 1),
        "peak_memory_mb": round(peak / 2**20),
        "document_mb": round(out.stat().st_size / 2**20, 1),
    }


def _memory(pid: int) -> int:
    total = 0
    try:
        root = psutil.Process(pid)
        for process in (root, *root.children(recursive=True)):
            total += process.memory_full_info().pss
    except psutil.Error:
        pass
    return total


class Watch:
    """Sums up the time within calls, and this process's CPU in it."""

    def __init__(self) -> None:
        self.seconds = self.cpu = 0.0
        self.calls = 0

    def over(self, call: Any) -> Any:
        async def timed(*arguments: Any, **named: Any) -> Any:
            started, cpu = time.perf_counter(), time.process_time()
            try:
                return await call(*arguments, **named)
            finally:
                self.seconds += time.perf_counter() - started
                self.cpu += time.process_time() - cpu
                self.calls += 1

        return timed


def own(file: Path, count: int, folder: Path) -> dict[str, Any]:
    """What of a case is the runner's, one after the other in this process."""
    suites = find_suites([str(file)])
    lineup = line_up(suites, Wanted(), default_encoder(), ModelTerms(default=ModelSettings(MODEL)))
    short = find_suites([str(suite(folder, count))])
    (folder / "recordings").mkdir(exist_ok=True)
    lineup = type(lineup)(tuple(short), *(getattr(lineup, name) for name in lineup.__slots__[1:]))
    graph, replay = Watch(), Watch()
    for by_label in lineup.contenders.values():
        for one in by_label.values():
            one.agent.run = graph.over(one.agent.run)  # type: ignore[method-assign]
    ask = EvalModel.complete
    EvalModel.complete = replay.over(ask)  # type: ignore[method-assign]
    cpu, started = time.process_time(), time.perf_counter()
    run = run_cases(lineup, Terms(journal=folder / "alone.jsonl"))
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    EvalModel.complete = ask  # type: ignore[method-assign]
    cases = len(run.results)

    def each(total: float) -> float:
        return round(total * 1000 / cases, 2)

    return {
        "cases": cases,
        "turns": graph.calls,
        "model_calls": replay.calls,
        "ms_per_case": each(seconds),
        "cpu_ms_per_case": each(cpu),
        "graph_ms_per_case": each(graph.seconds - replay.seconds),
        "graph_cpu_ms_per_case": each(graph.cpu - replay.cpu),
        "runner_ms_per_case": each(seconds - graph.seconds + replay.seconds),
        "runner_cpu_ms_per_case": each(cpu - graph.cpu + replay.cpu),
        "of_it_replay_cpu_ms_per_model_call": round(replay.cpu * 1000 / max(1, replay.calls), 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--cases", type=int, default=2000)
    parser.add_argument("--jobs", type=int, default=0, help="0: one per core")
    parser.add_argument("--alone", type=int, default=200)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        file = suite(folder, given.cases)
        environment = {**os.environ, "ATENDE_MODEL": MODEL, "OPENAI_API_KEY": "bench"}
        recorded = asyncio.run(record(file, environment))
        figures = {
            "cores": os.cpu_count(),
            "recording_seconds": round(recorded, 1),
            "own": own(file, min(given.alone, given.cases), folder),
            "whole": whole(suite(folder, given.cases), environment, given.jobs, folder),
        }
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
