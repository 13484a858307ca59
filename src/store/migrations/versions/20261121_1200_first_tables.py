"""First tables, row-level security, the job queue and the gate.

Revision ID: 20261121_1200
Revises:
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from alembic import op
from procrastinate.schema import SchemaManager

revision = "20261121_1200"
down_revision = None
branch_labels = None
depends_on = None

HERE = Path(__file__).parent


def upgrade() -> None:
    _run((HERE / "20261121_1159_words.sql").read_text("utf-8"))
    _run((HERE / "20261121_1200_first_tables.sql").read_text("utf-8"))
    _run((HERE / "20261121_1201_security.sql").read_text("utf-8"))
    _run("CREATE SCHEMA queue")
    _run("SET LOCAL search_path = queue, public")
    _run(SchemaManager.get_schema())
    _run("SET LOCAL search_path = public")
    _run((HERE / "20261121_1202_queue.sql").read_text("utf-8"))
    _run((HERE / "20261121_1203_gate.sql").read_text("utf-8"))
    _run((HERE / "20261121_1204_reach.sql").read_text("utf-8"))
    _run((HERE / "20261121_1205_accounts.sql").read_text("utf-8"))
    _run((HERE / "20261121_1206_keep_times.sql").read_text("utf-8"))


def _run(statements: str) -> None:
    # The driver's own connection: these texts hold many statements and literal percent signs.
    driver: Any = op.get_bind().connection.driver_connection
    driver.execute(statements)


def downgrade() -> None:
    raise NotImplementedError("Restore a backup instead: going back would drop every tenant's data.")
