"""Fuzz the API against its own document for as long as wanted, over a server and a database of its own.

    python -m bench.api_fuzz --examples 100 --seconds 600 --seed 7 [--only 'POST .*conversations']

Prints what was asked, how each operation answered, and every failure with the request that shows it. Exit code 1 where
there was one.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import random
import sys
import tempfile
from pathlib import Path

from tests.database import migrated_template, new_database, opened
from tests.postgres import running_server
from tests.web.api_fuzz import Campaign, run_campaign
from tests.web.api_world import opened_world


async def fuzz(owner_dsn: str, chosen: argparse.Namespace, folder: Path) -> Campaign:
    """Run the campaign."""
    async with opened(owner_dsn) as db, opened_world(owner_dsn, db, folder) as world:
        document = (await world.stranger.get("/api/v1/openapi.json")).json()
        return await asyncio.to_thread(
            run_campaign,
            document,
            str(world.stranger.base_url),
            world.token,
            known=world.known,
            seed=chosen.seed,
            examples=chosen.examples,
            seconds=chosen.seconds,
            only=chosen.only,
        )


def main() -> int:
    """See the module's text."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument(
        "--examples", type=int, default=50, help="right requests, and half as many wrong ones, of each operation"
    )
    asked.add_argument("--seconds", type=float, default=600)
    asked.add_argument("--seed", type=int, default=random.randrange(10**9))
    asked.add_argument("--only", default="", help="operations by a regular expression")
    chosen = asked.parse_args()
    logging.getLogger("uvicorn").setLevel(logging.ERROR)
    print(f"seed {chosen.seed}")
    with running_server() as server, tempfile.TemporaryDirectory() as folder:
        migrated_template(server)
        with new_database(server) as dsn:
            found = asyncio.run(fuzz(dsn, chosen, Path(folder)))
    for operation, counts in found.statuses.items():
        print(f"{operation:70} " + " ".join(f"{status}:{n}" for status, n in sorted(counts.items())))
    print("\n".join(found.lines()))
    return 1 if found.failures else 0


if __name__ == "__main__":
    sys.exit(main())
