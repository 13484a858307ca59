"""The documents' page: written, uploaded, looked into, searched and removed; what cannot be read is said."""

from __future__ import annotations

from html import unescape

from agent.encoder import default_encoder
from flows.knowledge_indexing import KnowledgeIndexing
from tests.database import Number
from tests.web.people import become, browser
from tests.web.site import Site

RULES = (
    "## Trocas\n\nTrocamos produtos em até 30 dias, sem uso e com a nota fiscal.\n\n## Frete\n\nO frete custa 10 reais."
)


async def test_that_an_admin_adds_searches_and_removes_documents(site: Site, shop: Number) -> None:
    await become(site, shop, "admin")
    async with browser(site) as admin:
        assert "No documents yet" in (await admin.get("/knowledge")).text
        added = await admin.post("/knowledge/text", data={"title": "Regras da loja", "text": RULES, "language": "pt"})
        assert "Added: Regras da loja." in unescape(added.text)
        assert "wait" in (await admin.get("/knowledge/list")).text
        await KnowledgeIndexing(site.db, default_encoder()).run_all()
        assert "Indexed" in (await admin.get("/knowledge/list")).text
        async with site.db.transaction(shop.tenant_id) as tx:
            await tx.execute("UPDATE tenant SET settings = settings || $1", {"knowledge_threshold": 0.05})
        asked = {"question": "trocam produtos sem uso com a nota fiscal?"}
        found = unescape((await admin.post("/knowledge/search", data=asked)).text)
        assert "30 dias" in found.split("</article>")[0]
        assert "It would be answered with the first passage." in found
        nothing = unescape((await admin.post("/knowledge/search", data={"question": "vocês vendem foguetes?"})).text)
        assert "It would be answered" not in nothing
        assert 'role="alert"' in (await admin.post("/knowledge/search", data={"question": " "})).text
        document = unescape((await admin.get("/knowledge/document?ref=regras-da-loja.md")).text)
        assert "com a nota fiscal" in document
        assert (await admin.post("/knowledge/remove", data={"ref": "regras-da-loja.md"})).status_code == 303
        assert (await admin.get("/knowledge/document?ref=regras-da-loja.md")).status_code == 404


async def test_that_files_are_uploaded_and_one_that_cannot_be_read_stops_no_other(site: Site, shop: Number) -> None:
    await become(site, shop, "prompt_engineer")
    files = [
        ("file", ("../../frete.md", RULES.encode())),
        ("file", ("perguntas.csv", "pergunta,resposta\nAbre domingo?,Não abrimos.\n".encode())),
        ("file", ("broken.pdf", b"%PDF-1.7 not really")),
    ]
    async with browser(site) as engineer:
        page = unescape((await engineer.post("/knowledge/files", files=files)).text)
        assert page.count("Added: ") == 2
        assert "broken.pdf" in page
        assert "/knowledge/document?ref=frete.md" in page
        again = unescape((await engineer.post("/knowledge/files", files=files[:1])).text)
        assert "Unchanged: " in again
        none = await engineer.post("/knowledge/files", data={"language": "pt"})
        assert (none.status_code, "Choose a file first." in none.text) == (422, True)
        refused = await engineer.post("/knowledge/text", data={"title": "", "text": RULES})
        assert refused.status_code == 422
        assert "com a nota fiscal" in refused.text


async def test_that_operators_only_read_and_other_tenants_find_nothing(site: Site, shop: Number) -> None:
    await become(site, shop, "admin")
    async with browser(site) as admin:
        await admin.post("/knowledge/text", data={"title": "Segredo", "text": RULES})
    await become(site, shop, "operator")
    async with browser(site) as operator:
        assert "Segredo" in (await operator.get("/knowledge")).text
        assert (await operator.post("/knowledge/text", data={"title": "x", "text": "x"})).status_code == 403
        assert (await operator.post("/knowledge/files")).status_code == 403
        assert (await operator.post("/knowledge/remove", data={"ref": "segredo.md"})).status_code == 403
    other = await site.number("other")
    await become(site, other, "admin")
    async with browser(site, "other") as stranger:
        assert "Segredo" not in (await stranger.get("/knowledge")).text
        assert "30 dias" not in (await stranger.post("/knowledge/search", data={"question": "trocar em dias"})).text
        assert (await stranger.get("/knowledge/document?ref=segredo.md")).status_code == 404
        assert (await stranger.post("/knowledge/remove", data={"ref": "segredo.md"})).status_code == 404
