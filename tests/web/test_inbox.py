"""What an operator sees and does in the inbox."""

from __future__ import annotations

import re

import httpx

from domain.decisions import Span
from tests.database import Number
from tests.web.site import Site
from web.marks import marked
from web.passages import flowing


async def test_that_a_message_appears_unread_in_the_list_and_read_once_opened(
    site: Site, operator: httpx.AsyncClient, shop: Number
) -> None:
    conversation = await site.message(shop, "Cadê meu pedido?")
    listed = (await operator.get("/inbox/list")).text
    assert "Cadê meu pedido?" in listed
    assert "is-unread" in listed
    opened = await operator.get(f"/inbox/{conversation}", headers={"HX-Target": "pane"})
    assert "Cadê meu pedido?" in opened.text
    assert "<html" not in opened.text
    assert (await operator.post(f"/inbox/{conversation}/read")).status_code == 204
    assert "is-unread" not in (await operator.get("/inbox/list")).text


async def test_that_what_a_customer_writes_is_shown_and_never_run(
    site: Site, operator: httpx.AsyncClient, shop: Number
) -> None:
    conversation = await site.message(shop, "<script>alert(1)</script> {{ 7 * 7 }} %(who)s 100%", "<b>Eva</b>")
    del operator.headers["HX-Request"]
    page = (await operator.get(f"/inbox/{conversation}")).text
    assert "&lt;script&gt;alert(1)&lt;/script&gt; {{ 7 * 7 }} %(who)s 100%" in page
    assert "<script>alert" not in page
    assert "<b>Eva" not in page


async def test_that_an_accepted_suggestion_waits_to_be_sent(
    site: Site, operator: httpx.AsyncClient, shop: Number
) -> None:
    conversation = await site.message(shop)
    suggestion = await site.suggestion(shop, conversation, "Olá, Bruno!")
    assert "Olá, Bruno!" in (await operator.get(f"/inbox/{conversation}")).text
    answer = await operator.post(f"/inbox/{conversation}/suggestions/{suggestion}/approve")
    assert 'data-delivery="queued"' in answer.text
    assert str(suggestion) not in answer.text


async def test_that_an_edited_suggestion_is_sent_as_the_operator_wrote_it(
    site: Site, operator: httpx.AsyncClient, shop: Number
) -> None:
    conversation = await site.message(shop)
    suggestion = await site.suggestion(shop, conversation)
    path = f"/inbox/{conversation}/suggestions/{suggestion}/approve"
    answer = await operator.post(path, data={"text": "Outra\r\nresposta"})
    assert "Outra\nresposta" in answer.text
    async with site.db.transaction(shop.tenant_id) as tx:
        assert await tx.fetchval("SELECT status FROM suggestion WHERE id = $1", suggestion) == "edited"


async def test_that_a_rejection_keeps_its_reason(site: Site, operator: httpx.AsyncClient, shop: Number) -> None:
    conversation = await site.message(shop)
    suggestion = await site.suggestion(shop, conversation)
    await operator.post(f"/inbox/{conversation}/suggestions/{suggestion}/reject", data={"reason": "wrong_tone"})
    async with site.db.transaction(shop.tenant_id) as tx:
        row = await tx.fetchrow("SELECT status, reject_reason FROM suggestion WHERE id = $1", suggestion)
    assert tuple(row) == ("rejected", "wrong_tone")


async def test_that_a_suggestion_overtaken_by_a_newer_message_is_not_sent_and_the_operator_learns_why(
    site: Site, operator: httpx.AsyncClient, shop: Number
) -> None:
    conversation = await site.message(shop)
    suggestion = await site.suggestion(shop, conversation)
    await site.message(shop, "Deixa pra lá")
    answer = await operator.post(f"/inbox/{conversation}/suggestions/{suggestion}/approve")
    assert answer.status_code == 409
    assert answer.headers["hx-retarget"] == "#notices"
    assert "Isto mudou nesse meio-tempo" in answer.text


async def test_that_a_handoff_shows_its_summary_until_somebody_claims_and_closes_it(
    site: Site, operator: httpx.AsyncClient, shop: Number
) -> None:
    conversation = await site.message(shop)
    await site.hand_off(shop, conversation, "Quer trocar o tênis.")
    page = (await operator.get(f"/inbox/{conversation}", headers={"HX-Target": "pane"})).text
    assert "Quer trocar o tênis." in page
    assert "O cliente pediu para falar com uma pessoa" in page
    assert "Assumir e enviar" in page
    assert str(conversation) in (await operator.get("/inbox/list?view=attention")).text
    claimed = (await operator.post(f"/inbox/{conversation}/claim")).text
    assert "Ana assumiu a conversa" in claimed
    assert "Assumir e enviar" not in claimed
    assert str(conversation) in (await operator.get("/inbox/list?view=mine")).text
    assert "Ana encerrou a conversa" in (await operator.post(f"/inbox/{conversation}/close")).text
    assert str(conversation) not in (await operator.get("/inbox/list")).text
    assert str(conversation) in (await operator.get("/inbox/list?view=closed")).text


async def test_that_a_question_whose_suggestion_was_turned_down_stays_in_nobody_s_queue_until_it_is_answered(
    site: Site, operator: httpx.AsyncClient, shop: Number
) -> None:
    conversation = await site.message(shop, "Posso trocar?")

    async def queue() -> bool:
        return str(conversation) in (await operator.get("/inbox/list?view=unassigned")).text

    assert not await queue()
    suggestion = await site.suggestion(shop, conversation)
    assert await queue()
    path = f"/inbox/{conversation}/suggestions"
    answer = await operator.post(f"{path}/{suggestion}/reject", data={"reason": "wrong_tone"})
    assert answer.status_code == 200
    assert await queue()
    again = await site.suggestion(shop, conversation, "Pode sim!")
    await operator.post(f"{path}/{again}/approve", data={})
    assert not await queue()


async def test_that_an_empty_reply_is_refused_in_words(site: Site, operator: httpx.AsyncClient, shop: Number) -> None:
    conversation = await site.message(shop)
    answer = await operator.post(f"/inbox/{conversation}/reply", data={"text": "  "})
    assert answer.status_code == 422
    assert "Corrija o que você digitou" in answer.text


async def test_that_a_reply_of_unknown_outcome_asks_and_can_be_settled(
    site: Site, operator: httpx.AsyncClient, shop: Number
) -> None:
    conversation = await site.message(shop)
    await operator.post(f"/inbox/{conversation}/reply", data={"text": "Já enviei!"})
    async with site.db.transaction(shop.tenant_id) as tx:
        outbox = await tx.fetchval("UPDATE outbox_message SET state = 'unknown' RETURNING id")
    assert "Enviar de novo" in (await operator.get(f"/inbox/{conversation}/live")).text
    settled = await operator.post(f"/inbox/{conversation}/outbox/{outbox}", data={"outcome": "arrived"})
    assert "Enviar de novo" not in settled.text
    assert 'data-delivery="sent"' in settled.text


async def test_that_a_long_conversation_opens_at_its_end_and_loads_upwards_without_gaps(
    site: Site, operator: httpx.AsyncClient, shop: Number
) -> None:
    for n in range(70):
        conversation = await site.message(shop, f"mensagem-{n:02}")
    opened = await operator.get(f"/inbox/{conversation}", headers={"HX-Target": "pane"})
    assert "mensagem-09" not in opened.text
    assert "mensagem-10" in opened.text
    earlier = next(line for line in opened.text.splitlines() if "messages?before=" in line).split('hx-get="')[1]
    older = (await operator.get(earlier.split('"')[0])).text
    assert all(f"mensagem-{n:02}" in older for n in range(10))
    first = opened.text.split('id="message-')[1].split('"')[0]
    await site.message(shop, "mensagem-70")
    live = await operator.get(f"/inbox/{conversation}/live", headers={"X-First-Message": first})
    assert all(f"mensagem-{n:02}" in live.text for n in range(10, 71))


async def test_that_the_unsupported_part_of_a_suggestion_is_marked_and_stays_text(
    site: Site, operator: httpx.AsyncClient, shop: Number
) -> None:
    conversation = await site.message(shop)
    text = "Oi <b>! Já cancelei <i>tudo</i>. 👍 Até mais"
    start = text.index("Já")
    spans = [Span(start, start + len("Já cancelei <i>tudo</i>"), "action"), Span(900, 950, "money")]
    await site.suggestion(shop, conversation, text, spans)
    words = {"pt": "Confira o que está marcado", "es": "Revise lo marcado", "en": "Check what is marked"}
    for language, note in words.items():
        await operator.post("/language", data={"language": language})
        page = (await operator.get(f"/inbox/{conversation}")).text
        assert note in page, language
        assert re.search(r'<mark class="unsupported" title="[^"]+">Já cancelei &lt;i&gt;tudo&lt;/i&gt;</mark>', page)
        assert page.count("<mark") == 1


def test_that_marks_cut_a_text_into_pieces_that_make_it_again() -> None:
    spans = [
        {"start": 5, "end": 9, "kind": "b"},
        {"start": 0, "end": 2, "kind": "a"},
        {"start": 8, "end": 30, "kind": "c"},
    ]
    assert list(marked("0123456789", spans)) == [("01", "a"), ("234", ""), ("5678", "b"), ("9", "c")]
    assert list(marked("oi", [])) == [("oi", "")]
    assert list(marked("", spans)) == []


def test_that_a_passage_loses_the_line_ends_of_its_file_and_keeps_its_paragraphs_and_lists() -> None:
    wrapped = "O prazo depende\ndo CEP: até 9 dias,\nsem frete.\nPara:\n- Minas\n- Goiás\n\nE só\nisso."
    assert flowing(wrapped) == "O prazo depende do CEP: até 9 dias, sem frete.\nPara:\n- Minas\n- Goiás\n\nE só isso."
