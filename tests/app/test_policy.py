"""``atende policy``: the kill switch and earned autonomy from the command line."""

from __future__ import annotations

from store import autonomy
from store.database import Database
from tests.app.serving import atende
from tests.database import SECRET, Number


async def test_that_the_command_line_stops_resumes_vetoes_and_shows(
    owner_dsn: str, db: Database, number: Number
) -> None:
    async with db.transaction(number.tenant_id) as tx:
        await tx.execute(
            "INSERT INTO intent (tenant_id, name, declaration) VALUES ($1, 'hours', $2)",
            number.tenant_id,
            {"name": "hours", "description": "Horário", "answer": {"pt": "Das 9 às 18."}},
        )
        await autonomy.locked(tx, number.tenant_id, "hours")

    def policy(*arguments: str) -> str:
        ran = atende("policy", *arguments, "--tenant", "shop", DATABASE_URL=owner_dsn, ATENDE_SECRET=SECRET.decode())
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    assert "Automatic messages of shop are stopped; 0 were taken back." in policy("stop")
    policy("stop", "--number", str(number.session_id))
    assert "Still stopped: Sales." in policy("resume")
    policy("veto", "hours")
    shown = policy("show")
    assert "hours: vetoed, 0 of 0 unchanged" in shown
    assert "policy.stopped Sales by command line" in shown
    nobody = atende("policy", "stop", "--tenant", "nope", DATABASE_URL=owner_dsn, ATENDE_SECRET=SECRET.decode())
    assert (nobody.returncode, nobody.stderr.count("\n")) == (2, 1)
