"""CPU of one turn through the graph, in milliseconds, without encoding and without a database.

    python bench/graph.py [--turns N]      JSON on stdout; runs a few seconds

``intent`` runs a function, ``asks`` puts a question, ``answer`` gives a fixed answer, ``knowledge`` quotes a passage,
``approval`` suspends and resumes a durable run in memory.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

sys.path.pop(0)  # this folder: it has an agent.py
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from langgraph.checkpoint.memory import InMemorySaver
from tests.agent.world import World, said

from agent.graph import build_agent


async def measure(turns: int) -> dict[str, object]:
    agent, world = build_agent(InMemorySaver()), World()
    context = world.context()

    def turn(text: str) -> Callable[[int], Awaitable[object]]:
        return lambda _: agent.run(said(text), context)

    async def approval(number: int) -> object:
        thread = f"bench-{number}"
        asked = await agent.run(said("quero trocar o 12345, ficou pequeno"), context)
        await agent.start_approval(thread, asked.approval or {})
        result = await agent.resume_approval(thread, approved=True, context=context)
        await agent.prune_approval(thread)
        return result

    paths: dict[str, Callable[[int], Awaitable[object]]] = {
        "intent": turn("cadê meu pedido 12345"),
        "asks": turn("cadê meu pedido?"),
        "answer": turn("qual o horário?"),
        "knowledge": turn("aceitam pix?"),
        "handoff": turn("quero um atendente"),
        "approval": approval,
    }
    figures: dict[str, float] = {}
    for name, run in paths.items():
        for number in range(20):
            await run(-number - 1)
        started = time.process_time()
        for number in range(turns):
            await run(number)
        figures[name] = round((time.process_time() - started) * 1000 / turns, 3)
    return {"turns": turns, "cpu_ms_per_turn": figures}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="CPU per turn through the graph")
    parser.add_argument("--turns", type=int, default=300)
    print(json.dumps(asyncio.run(measure(parser.parse_args().turns)), indent=2))
