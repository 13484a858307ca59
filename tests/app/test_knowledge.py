"""``atende knowledge``: documents from the command line."""

from __future__ import annotations

from pathlib import Path

from tests.app.serving import atende
from tests.database import SECRET, Number
from tests.flows.documents import pdf


def test_that_documents_are_added_listed_found_and_removed(owner_dsn: str, number: Number, tmp_path: Path) -> None:
    settings = {"DATABASE_URL": owner_dsn, "ATENDE_SECRET": SECRET.decode()}

    def run(*words: str) -> tuple[int, str]:
        done = atende("knowledge", *words, "--tenant", "shop", **settings)
        return done.returncode, done.stdout + done.stderr

    folder = tmp_path / "documents"
    (folder / "manuais").mkdir(parents=True)
    (folder / "manuais" / "cafeteira.pdf").write_bytes(
        pdf([["Manual."], ["Limpe a cafeteira com vinagre a cada dois meses."]])
    )
    (folder / "faq.es.csv").write_text("pregunta;respuesta\n¿Hay wifi?;Sí, gratis en toda la tienda.\n")
    (folder / "quebrado.pdf").write_bytes(b"nada")
    code, said = run("add", str(folder), "--now")
    assert code == 2
    assert "+ faq.es.csv: faq (es), 1 piece, 1 new." in said
    assert "+ manuais/cafeteira.pdf: cafeteira (pt), 2 pieces, 2 new." in said
    assert "✗ quebrado.pdf is called .pdf but is none. Open it where it was made and save it again." in said
    (folder / "quebrado.pdf").unlink()

    code, said = run("search", "de quanto em quanto tempo limpo a cafeteira com vinagre?")
    assert (code, "cafeteira · p. 2  [manuais/cafeteira.pdf#1]" in said) == (0, True)
    assert said.startswith("answered with the first")
    assert run("search", "vocês vendem avião?")[1].startswith("not answered")

    (folder / "manuais" / "cafeteira.pdf").unlink()
    code, said = run("add", str(folder), "--mirror")
    assert (code, "= faq.es.csv: unchanged." in said) == (0, True)
    assert "- manuais/cafeteira.pdf: removed, it is not in the folder." in said
    assert [line.split()[:3] for line in run("list")[1].splitlines()] == [["faq.es.csv", "es", "added"]]
    assert run("remove", "faq.es.csv") == (0, "faq.es.csv is removed.\n")
    code, said = run("remove", "faq.es.csv")
    assert (code, "There is no knowledge document faq.es.csv" in said) == (2, True)
    assert "There are no documents yet" in run("list")[1]


def test_that_what_cannot_be_added_is_refused_in_one_sentence(owner_dsn: str, number: Number, tmp_path: Path) -> None:
    settings = {"DATABASE_URL": owner_dsn, "ATENDE_SECRET": SECRET.decode()}
    for words, expected in (
        (("add", str(tmp_path / "gone.pdf")), "there is no "),
        (("add", str(tmp_path), "--language", "fr"), "Use pt, es or en."),
        (("add", __file__, "--mirror"), "Name a folder, or leave --mirror out."),
    ):
        done = atende("knowledge", *words, "--tenant", "shop", **settings)
        assert (done.returncode, expected in done.stderr, done.stdout) == (2, True, "")
