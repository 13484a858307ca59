"""How soon a new intent takes effect in every process, for tenants of several sizes. JSON.

    python bench/refresh.py TRAIN.jsonl [--sizes 64x10,150x10,500x2,999x1] [--changes 3] [--processes 2]

TRAIN.jsonl: rows of ``text`` and ``intent`` (several sets may stand one after another); ``500x2`` is 500 intents of 2
examples, made of them. Where the file has fewer intents, one meaning bears several names (``names_per_meaning``), with
other examples each: such intents cannot be told apart, every confidence learned from them is rightly low, and only the
times say something. Each process keeps its profiles as a worker does: it hears of a change, polls every
half second, loads what changed. One more intent is declared in this process as the API declares it; ``declared_s`` is
how long that took (encoding its examples included), ``known_s`` how long after its commit the last process answers a
paraphrase with the new intent, and ``whole_s`` until the last one has learned everything anew behind it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any
from uuid import UUID

sys.path.pop(0)  # this folder: it has an agent.py
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.database import SECRET, make_number

from agent.encoder import local_encoder
from agent.language_model import ModelClients
from flows.intent_files import ImportedFile, ImportedRow
from flows.intents import Intents
from flows.profiles import Installation, Profiles
from store.database import Database
from store.embedded import EmbeddedPostgres
from store.migrate import migrate
from store.wakeup import PROFILES, Listener, Wakeup, every

PARAPHRASE = "could you tell me how to feed my baby dragon"
DRAGON = ["how do I feed a dragon", "what does a dragon eat", "food for my dragon", "when should a dragon be fed"]


def made(path: Path, intents: int, shots: int) -> ImportedFile:
    pool: dict[str, list[str]] = defaultdict(list)
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        pool[row["intent"]].append(row["text"])
    names, used = sorted(pool), set[str]()
    rows: list[ImportedRow] = []
    for number in range(intents):
        name, again = names[number % len(names)], number // len(names)
        for text in pool[name][again * shots : (again + 1) * shots]:
            if text.casefold() not in used:
                used.add(text.casefold())
                rows.append(ImportedRow(len(rows) + 1, f"{name}_{again}" if again else name, text, "en"))
    return ImportedFile("made.jsonl", tuple(rows), {}, ())


def meanings(path: Path) -> int:
    return len({json.loads(line)["intent"] for line in path.read_text(encoding="utf-8").splitlines()})


async def answer(dsn: str, tenant: UUID, profile: Any) -> None:
    """A process of its own: print when the newest version's classifier knows the dragon, and when it is whole."""
    db = await Database.open(dsn, SECRET, max_connections=2)
    profiles = Profiles(db, Installation((), local_encoder(profile), ModelClients()))
    changed = asyncio.Event()
    for row in await db.gate("profile_versions", [tenant]):
        await profiles.get(tenant, row["profile_version"])
    tasks = [
        asyncio.create_task(Listener(db, {PROFILES: changed.set}).run()),
        asyncio.create_task(every(0.5, profiles.refresh, wake=changed)),
    ]
    print(json.dumps({"ready": os.getpid()}), flush=True)
    seen: set[tuple[int, str]] = set()
    while True:
        version = max(number for _, number in profiles._brains)
        brain = profiles._brains[tenant, version]
        found = await brain.classify(PARAPHRASE)
        if (found.intent or "").startswith("dragon") and (version, "known") not in seen:
            seen.add((version, "known"))
            print(json.dumps({"known": version, "at": time.time(), "confidence": found.confidence}), flush=True)
        if (version, "known") in seen and (version, "whole") not in seen and not profiles._learning._tasks:
            seen.add((version, "whole"))
            print(json.dumps({"whole": version, "at": time.time()}), flush=True)
        if tasks[1].done():
            raise RuntimeError("the refreshing ended")
        await asyncio.sleep(0.02)


async def measure(server: EmbeddedPostgres, size: str, options: argparse.Namespace) -> dict[str, Any]:
    intents, shots = map(int, size.split("x"))
    dsn = server.create_database(f"bench_{size}")
    await asyncio.to_thread(migrate, dsn, SECRET)
    db = await Database.open(dsn, SECRET, max_connections=2)
    tenant, wakeup, encoder = (await make_number(dsn, "large")).tenant_id, Wakeup(db), local_encoder(options.profile)
    acts = Intents(db, wakeup, lambda: encoder)
    began = time.perf_counter()
    report = await acts.bring(tenant, made(options.train, intents, shots), actor="bench", check=False)
    filled = time.perf_counter() - began
    command = (sys.executable, __file__, str(options.train), "--child", dsn, str(tenant), "--profile", options.profile)
    children = [
        await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE) for _ in range(options.processes)
    ]
    lines = [child.stdout for child in children if child.stdout]
    began = time.perf_counter()
    for stream in lines:
        await stream.readline()
    result: dict[str, Any] = {"intents": intents, "examples": report.examples_added, "imported_s": round(filled, 2)}
    result["names_per_meaning"] = round(max(1.0, intents / meanings(options.train)), 1)
    result["started_s"] = round(time.perf_counter() - began, 2)
    result |= {"declared_s": [], "known_s": [], "whole_s": [], "confidence": []}
    try:
        for number in range(options.changes):
            name = f"dragon_{number}"
            body = {"name": name, "examples": DRAGON, "answer": {"pt": "Peixe.", "en": "Fish."}}
            began = time.perf_counter()
            await acts.create(tenant, body, actor="bench")
            committed = time.time()
            result["declared_s"].append(round(time.perf_counter() - began, 2))
            told = [[json.loads(await stream.readline()) for _ in range(2)] for stream in lines]
            result["known_s"].append(round(max(one[0]["at"] for one in told) - committed, 2))
            result["whole_s"].append(round(max(one[1]["at"] for one in told) - committed, 2))
            result["confidence"].append(round(min(one[0]["confidence"] for one in told), 2))
            await acts.delete(tenant, name, version=None, actor="bench")
            await asyncio.sleep(1 + result["whole_s"][-1])
    finally:
        for child in children:
            child.kill()
            await child.wait()
        await wakeup.close()
        await db.close()
    return result


async def main(options: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)  # noqa: ASYNC240 - nothing else runs yet
        server = EmbeddedPostgres(Path(folder) / "postgres")
        await asyncio.to_thread(server.start)
        try:
            for size in options.sizes.split(","):
                print(json.dumps(await measure(server, size, options)), flush=True)
        finally:
            await asyncio.to_thread(server.stop, "immediate")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("train", type=Path)
    parser.add_argument("--sizes", default="64x10,150x10,500x2,999x1")
    parser.add_argument("--changes", type=int, default=3)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--profile", default="fast", choices=("fast", "accurate"))
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        asyncio.run(answer(given.child[0], UUID(given.child[1]), given.profile))
    else:
        asyncio.run(main(given))
