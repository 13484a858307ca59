"""What an installation is told from outside."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.settings import GivenSettings, SecretFileError, SettingsError, load_settings
from tests.app.serving import atende, environment


def test_that_all_unusable_values_are_named_at_once_and_never_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATENDE_PORT", "geheim")
    monkeypatch.setenv("ATENDE_SECRET", "geheim")
    monkeypatch.setenv("ATENDE_PUBLIC_URL", "geheim")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    said = caught.value.sentence()
    assert [name for name, _ in caught.value.problems] == ["ATENDE_PORT", "ATENDE_PUBLIC_URL", "ATENDE_SECRET"]
    assert all(name in said for name, _ in caught.value.problems)
    assert "geheim" not in said
    assert "\n" not in said


def test_that_a_wrong_setting_ends_a_command_with_one_sentence() -> None:
    refused = atende("serve", ATENDE_WORKERS="none")
    assert refused.returncode == 2
    assert refused.stderr.startswith("The settings cannot be used: ATENDE_WORKERS should be a valid integer")
    assert refused.stderr.count("\n") == 1


def test_that_a_part_without_a_database_says_what_to_set() -> None:
    refused = atende("worker")
    assert refused.returncode == 2
    assert refused.stderr == (
        "This process needs a database. "
        "Set DATABASE_URL to a PostgreSQL server, or start everything with: atende serve.\n"
    )


def test_that_another_process_gets_all_settings_and_nothing_from_its_own_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "key")
    monkeypatch.setenv("ATENDE_MODEL", "small")
    monkeypatch.setenv("ATENDE_TENANT_FOLDERS", os.pathsep.join(["/one", "/two"]))
    given = load_settings(data_dir=tmp_path, port=0)
    wire = json.dumps(given.handed_over(database_url="postgresql://here/atende"))
    monkeypatch.setenv("DATABASE_URL", "postgresql://elsewhere/other")
    monkeypatch.setenv("ATENDE_MODEL", "other")
    monkeypatch.setenv("ATENDE_PUBLIC_URL", "https://elsewhere.example")
    got = GivenSettings(**json.loads(wire))
    assert GivenSettings().public_url == got.public_url == ""
    assert got.database_url == "postgresql://here/atende"
    assert got.tenant_folders == (Path("/one"), Path("/two"))
    model = got.default_model()
    assert model is not None
    assert (model.model, model.api_key) == ("small", "key")


def test_that_a_key_in_the_environment_alone_sends_nothing_to_a_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "key")
    monkeypatch.delenv("ATENDE_MODEL", raising=False)
    assert not load_settings().default_model().model


def test_that_processes_starting_at_once_share_one_secret_that_only_this_account_reads(tmp_path: Path) -> None:
    program = (
        "import sys, pathlib; from app.settings import read_or_make_secret;"
        "print(read_or_make_secret(pathlib.Path(sys.argv[1])).decode())"
    )
    file = tmp_path / "data" / "secret"
    starts = [
        subprocess.Popen([sys.executable, "-c", program, str(file)], stdout=subprocess.PIPE, env=environment())
        for _ in range(4)
    ]
    secrets = {start.communicate()[0] for start in starts}
    assert len(secrets) == 1
    assert len(secrets.pop().strip()) >= 40
    assert file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in file.parent.iterdir()] == ["secret"]


def test_that_a_damaged_secret_is_refused_instead_of_replaced(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("\n")
    with pytest.raises(SecretFileError, match="fewer than 16 characters"):
        _ = load_settings(data_dir=tmp_path).secret
    assert (tmp_path / "secret").read_text() == "\n"


@pytest.mark.parametrize(
    ("host", "public_url", "allowed"),
    [
        ("127.0.0.1", "", {"127.0.0.1", "localhost", "::1", "[::1]"}),
        ("127.0.0.1", "https://shop.example", {"127.0.0.1", "localhost", "::1", "[::1]", "shop.example"}),
        ("0.0.0.0", "https://shop.example", {"shop.example", "127.0.0.1", "localhost", "::1"}),
        ("0.0.0.0", "", {"*"}),
    ],
)
def test_that_pages_answer_only_to_names_they_are_known_by(host: str, public_url: str, allowed: set[str]) -> None:
    settings = load_settings(host=host, public_url=public_url)
    assert set(settings.allowed_hosts) == allowed
    assert settings.is_secure is bool(public_url)
