"""What the tiny workshop can do."""

import asyncio
import os
import time
from pathlib import Path

from tools.declaration import Parameter, ParameterKind, ToolContext, business_function

BICYCLE = Parameter("number", ParameterKind.ORDER_NUMBER, "número da bicicleta", ask={"pt": "Qual é o número?"})


@business_function(effect="read", parameters=[BICYCLE])
async def find(ctx: ToolContext, number: str) -> dict[str, object]:
    """Find out how the repair of a bicycle goes."""
    found = await ctx.records.get("bicycles", number)
    return {"state": found["state"] if found else "unknown", "booked": len(await ctx.records.find("bookings", {}))}


@business_function(effect="write", parameters=[BICYCLE], idempotent=True)
async def book(ctx: ToolContext, number: str) -> dict[str, str]:
    """Book a repair."""
    await ctx.records.put("bookings", number, {"number": number})
    return {"number": number}


@business_function(effect="read", parameters=[BICYCLE], timeout_seconds=280)
async def wait(ctx: ToolContext, number: str) -> dict[str, str]:
    """Wait for the mechanic: until the file exists that the environment names."""
    await asyncio.to_thread(_wait)
    return {"number": number}


def _wait() -> None:
    gate = os.environ.get("TINY_GATE")
    while gate and not Path(gate).exists():
        time.sleep(0.02)


FUNCTIONS = [find, book, wait]
