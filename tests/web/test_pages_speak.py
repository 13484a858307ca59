"""Every page in Portuguese and Spanish, busy: no sentence without a translation, none left in English."""

from __future__ import annotations

import re
from collections.abc import Iterator
from gettext import NullTranslations
from html import unescape
from uuid import uuid4

import httpx
import pytest

from store import events
from tests.database import Number
from tests.web.audit_keys import audited_keys
from tests.web.site import Site
from tests.web.test_admin_stories import busy_shop, every_page
from web.admin_labels import AUDIT_KINDS
from web.figures import Figures
from web.i18n import load_catalogue
from web.labels import AUDITED_FIELDS
from web.pages import TEMPLATES
from web.told_lines import ToldLines

SOURCES = TEMPLATES.parents[1]


class _Missed(NullTranslations):
    """Asked where a catalogue has no translation."""

    def __init__(self) -> None:
        super().__init__()
        self.sentences: set[str] = set()

    def gettext(self, message: str) -> str:
        self.sentences.add(message)
        return message

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        del n
        self.sentences.add(msgid1)
        return msgid2


@pytest.fixture
def missed() -> Iterator[dict[str, _Missed]]:
    """What each language's catalogue was asked for in vain."""
    found = {language: _Missed() for language in ("pt", "es")}
    for language, missing in found.items():
        load_catalogue(language).add_fallback(missing)
    yield found
    for language in found:
        load_catalogue(language)._fallback = None  # type: ignore[attr-defined]


async def test_that_no_page_asks_for_a_sentence_that_is_not_translated_or_leaves_one_in_english(
    site: Site, shop: Number, operator: httpx.AsyncClient, missed: dict[str, _Missed]
) -> None:
    pages = (*every_page(shop), *await busy_shop(site, shop))
    for language, missing in missed.items():
        operator.cookies.set("atende_language", language)
        for path in pages:
            answer = await operator.get(path, headers={"HX-Request": "false"})
            assert answer.status_code in {200, 404}, path
            assert not missing.sentences - _NAMES, (language, path)
            assert not re.findall(r'lang="en"[^>]*>[^<]{3,}', answer.text.replace("English", "")), (language, path)


_NAMES = {"Português", "Español", "English", ""}
"""Languages are called what they call themselves."""


def test_that_every_kind_of_the_audit_trail_has_words() -> None:
    families = {kind.partition(".")[0] for kind in AUDIT_KINDS}
    written = set()
    for source in [*(SOURCES / "flows").glob("*.py"), *(SOURCES / "store").rglob("*.sql")]:
        for found in re.finditer(r"""["']([a-z_]+)\.([a-z_]+)["'],""", source.read_text()):
            if found[1] in families and found[2] not in {"yaml", "id", "html"}:
                written.add(f"{found[1]}.{found[2]}")
    assert len(written) > 40
    assert written - set(AUDIT_KINDS) - {"function.called"} == set()


_NOT_OF_THE_TRAIL = {"call_id", "error_code", "outcome", "changes", "has_qr", "request_id", "tenant_id"} | {
    "type", "timestamp", "sequence", "data", "actor", "channel_session_id"
}  # fmt: skip
"""Of other events that the same functions write, or shown as something else."""


def test_that_every_field_of_the_audit_trail_has_words() -> None:
    written = audited_keys(SOURCES)
    assert len(written) > 60
    assert {key: where for key, where in written.items() if key not in AUDITED_FIELDS.keys() | _NOT_OF_THE_TRAIL} == {}


async def test_that_the_audit_trail_says_names_and_not_ids(
    site: Site, shop: Number, operator: httpx.AsyncClient
) -> None:
    await busy_shop(site, shop)
    async with site.db.transaction(shop.tenant_id) as tx:
        for payload in (
            {"channel_session_id": str(shop.session_id), "wish": "restart", "request_id": str(uuid4())},
            {
                "user_id": str(shop.user_id),
                "changes": {"role": ["operator", "admin"], "skills": [[], ["troca", "own"]]},
            },
        ):
            await events.append(tx, shop.tenant_id, "session.asked", payload=payload, actor=f"user:{shop.user_id}")
    page = unescape((await operator.get("/audit", headers={"HX-Request": "false"})).text)
    shown = re.sub(r"<[^>]+>", " ", page[page.index("admin-audit") :])
    assert not re.search(r"[0-9a-f]{8}-[0-9a-f]{4}-|_id\b|\[\"|true|false", shown)
    assert "Número: " in shown
    assert "Função" in shown
    assert re.search(r"troca\s*,\s*própri", shown), "each word of a list is told in the reader's language"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            "B against A: no difference shown (1 case better, 2 worse). With a chance of 80 % this run would have "
            "shown a drop of 12.0 points over 34 local cases and no drop at all over 5 live cases.",
            "B contra A: nenhuma diferença mostrada (melhor: 1, pior: 2). Com chance de 80 %, esta execução teria "
            "mostrado uma queda de 12,0 pontos (sem modelo, casos: 34) e nenhuma queda (ao vivo, casos: 5).",
        ),
        (
            "B against A: surely worse in live-shop (-3.0 points, live), all suites · cost (+1.0 points, local).",
            "B contra A: certamente pior em live-shop (-3,0 pontos, ao vivo), all suites · cost (+1,0 pontos, sem "
            "modelo).",
        ),
        (
            "3 of 9 critical cases failed; at most 0 may: a/b and 4 more",
            "3 de 9 casos críticos falharam; no máximo 0 podem: a/b e mais 4",
        ),
        ("Messages: 8 a minute, up to 2 at once.", "Mensagens: 8 por minuto, até 2 de uma vez."),
        ("something new <b>", '<span lang="en">something new &lt;b&gt;</span>'),
    ],
)
def test_that_lines_of_flows_are_told_in_the_readers_language(line: str, said: str) -> None:
    assert str(ToldLines(load_catalogue("pt"), Figures("pt_BR"))(line)) == said
