"""A business set up from the command line alone: created, set, intents imported, a key made."""

from __future__ import annotations

import subprocess
from pathlib import Path

from flows.api_keys import ApiKeys
from flows.intent_files import read_intents
from store.database import Database
from tests.app.serving import atende
from tests.database import SECRET

ROWS = """\
frase;intenção
cadê meu pedido?;Status do Pedido
onde está minha compra?;Status do Pedido
que horas abre?;horário
"""


async def test_that_a_business_is_set_up_from_the_command_line_alone(
    owner_dsn: str, db: Database, tmp_path: Path
) -> None:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return atende(*arguments, DATABASE_URL=owner_dsn, ATENDE_SECRET=SECRET.decode())

    def told(*arguments: str) -> str:
        ran = run(*arguments, "--tenant", "padaria-sol")
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    def refused(*arguments: str) -> str:
        ran = run(*arguments)
        assert (ran.returncode, ran.stdout) == (2, ""), ran.stdout
        return ran.stderr

    made = run("tenant", "create", "Padaria Sól", "threshold=0.7", "--admin", "ana@sol.example")
    assert made.returncode == 0, made.stderr
    assert "Padaria Sól (padaria-sol) was created." in made.stdout
    assert "new login ana@sol.example" in made.stdout
    assert "There is a tenant padaria-sol already." in refused("tenant", "create", "Padaria Sol")
    assert "reply_mode = auto" in told("tenant", "set", "reply_mode=auto")
    shown = told("tenant", "show")
    assert [line.split()[1:3] for line in shown.splitlines() if line.startswith("threshold")] == [["0.7", "set"]]

    good, bad = tmp_path / "bom.csv", tmp_path / "ruim.csv"
    good.write_text(ROWS, encoding="cp1252")
    bad.write_text(ROWS + "tchau;\ncadê meu pedido;horário\n", encoding="utf-8")
    told_bad = refused("intents", "import", str(bad), "--tenant", "padaria-sol")
    assert f"{bad}:5: names no intent" in told_bad
    assert f"{bad}:6: " in told_bad
    brought = told("intents", "import", str(good))
    assert "2 intents created (horario, status_do_pedido); 3 examples added." in brought
    assert "Windows-1252" in brought
    assert "warning: few examples: horario has 1" in brought
    exported = tmp_path / "export.jsonl"
    assert "2 intents were written" in told("intents", "export", "--to", str(exported))
    assert [(row.intent, row.text) for row in read_intents(str(exported), exported.read_bytes()).rows] == [
        ("horario", "que horas abre?"),
        ("status_do_pedido", "cadê meu pedido?"),
        ("status_do_pedido", "onde está minha compra?"),
    ]

    token = told("api-key", "create", "--name", "crm", "--scopes", "intents:read").splitlines()[0]
    caller = await ApiKeys(db).recognise(token)
    assert caller is not None
    assert caller.scopes == {"intents:read"}
    assert "refused from now on" in told("api-key", "revoke", "crm")
    assert await ApiKeys(db).recognise(token) is None
