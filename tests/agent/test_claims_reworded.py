"""One fact in many wordings goes out; the same wording with one number, day or act changed does not."""

# ruff: noqa: E501 - a wording and its changes stand on one line
from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import pytest

from agent.claims import Sources, check
from domain.decisions import ToolCall

SEED: Final = 20_261_123


@dataclass(frozen=True)
class Fact:
    """What a turn knows, and wordings of it: each with pieces that may be replaced by what is not so."""

    name: str
    language: str
    now: str
    source: ToolCall | str
    wordings: Sequence[tuple[str, Sequence[tuple[str, str]]]]
    customer: str = ""

    def unsupported(self, reply: str) -> list[str]:
        calls = [self.source] if isinstance(self.source, ToolCall) else []
        passages = [("doc", self.source)] if isinstance(self.source, str) else []
        sources = Sources(datetime.fromisoformat(self.now), calls, passages, (), [self.customer])
        return [reply[span.start : span.end] for span in check(reply, self.language, sources).unsupported]


def done(function: str, result: Any, **arguments: Any) -> ToolCall:
    return ToolCall(function, arguments, "succeeded", result)


FACTS: Final = [
    Fact(
        "vet", "pt", "2026-11-23T10:15:00-03:00",
        done("vaccine_record", {"pet": "Thor", "vaccine": "antirrábica", "last_on": "2025-12-02", "next_on": "2026-12-02", "price_cents": 8900}),
        [
            ("A antirrábica do Thor vence dia 2 de dezembro, uma quarta-feira, e custa R$ 89,00.", [("2 de", "12 de"), ("quarta", "sexta"), ("89,00", "98,00")]),
            ("O Thor tomou a última antirrábica em 02/12/2025; a próxima é 02/12. Fica R$ 89 😊", [("2025", "2024"), ("R$ 89", "R$ 79")]),
            ("Faltam 9 dias para a próxima dose da antirrábica do Thor (02/12).", [("9 dias", "15 dias"), ("antirrábica", "V10")]),
        ],
    ),
    Fact(
        "hotel", "es", "2026-10-05T09:00:00-05:00",
        done("get_reservation", {"code": "HX-204", "guest": "Laura Peña", "check_in": "2026-10-09", "nights": 3, "room": "doble", "rate_per_night": 85.0, "breakfast": True, "status": "confirmed"}),
        [
            ("Tu reserva HX-204 está confirmada: llegas el viernes 9 de octubre y te quedas 3 noches en habitación doble.", [("viernes", "sábado"), ("3 noches", "6 noches"), ("HX-204", "HX-304"), ("confirmada", "cancelada")]),
            ("Laura, son 3 noches a $85, en total $255, con desayuno.", [("255", "265"), ("$85", "$95")]),
            ("Sí, el desayuno está incluido. Sales el lunes 12.", [("lunes 12", "lunes 19"), ("está incluido", "no está incluido")]),
        ],
    ),
    Fact(
        "isp", "pt", "2026-09-14T19:40:00-03:00",
        done("schedule_visit", {"visit": "VT-991", "date": "2026-09-16", "window": "13:00-17:00", "technician": "Jonas"}, date="2026-09-16"),
        [
            ("Agendei a visita do técnico Jonas para quarta, 16/09, entre 13h e 17h. Protocolo VT-991.", [("quarta", "quinta"), ("16/09", "17/09"), ("17h", "19h"), ("VT-991", "VT-919"), ("Jonas", "Marcelo")]),
            ("Prontinho! O Jonas vai aí depois de amanhã, das 13h às 17h.", [("depois de amanhã", "amanhã"), ("13h", "8h")]),
            ("Visita marcada ✅ Dia 16, à tarde (13h às 17h).", [("Dia 16", "Dia 18"), ("Visita marcada", "Problema resolvido")]),
        ],
    ),
    Fact(
        "garage", "en", "2026-06-01T08:30:00+01:00",
        done("job_status", {"plate": "KX19 RTE", "status": "in_progress", "ready_on": "2026-06-03", "estimate_gbp": 240.0}),
        [
            ("Your car is still being worked on and should be ready on Wednesday, 3 June. The estimate is £240.", [("Wednesday", "Tuesday"), ("3 June", "5 June"), ("£240", "£204")]),
            ("We expect it to be ready the day after tomorrow. Estimated cost: £240.00", [("the day after tomorrow", "tomorrow"), ("240.00", "340.00")]),
            ("It's in progress, KX19 RTE. Not ready yet, sorry!", [("Not ready yet, sorry!", "It is ready and has been paid!")]),
        ],
    ),
    Fact(
        "school", "pt", "2026-02-02T11:00:00-03:00",
        "Mensalidade: R$ 640,00 com vencimento todo dia 10. Irmãos têm 15% de desconto na segunda matrícula. Material: R$ 320,00 em até 4 parcelas.",
        [
            ("A mensalidade é de R$ 640 e vence todo dia 10.", [("640", "460"), ("dia 10", "dia 5")]),
            ("O segundo filho tem 15% de desconto, então fica R$ 544,00 por mês.", [("15%", "10%"), ("544,00", "554,00")]),
            ("O material sai por R$ 320, que você pode dividir em 4x de R$ 80.", [("4x", "6x"), ("R$ 80", "R$ 75")]),
        ],
    ),
    Fact(
        "bakery", "pt", "2026-12-01T08:00:00-03:00",
        "Encomendas: bolos com 48 horas de antecedência. Retirada de terça a sábado, das 9h às 18h. Entrega somente acima de R$ 150,00. Não trabalhamos com glúten zero.",
        [
            ("Precisamos de 48 horas de antecedência para bolos. Pode retirar de terça a sábado, das 9h às 18h 🎂", [("48 horas", "24 horas"), ("terça", "segunda"), ("18h", "20h")]),
            ("A gente só entrega em pedidos acima de R$ 150.", [("150", "100")]),
            ("Infelizmente não temos opções sem glúten.", [("Infelizmente não temos", "Temos sim várias")]),
        ],
    ),
    Fact(
        "dentist", "es", "2026-08-17T16:10:00-03:00",
        done("reschedule_appointment", {"appointment": "C-77", "at": "2026-08-20T10:30:00-03:00", "dentist": "Dra. Sosa"}, at="2026-08-20T10:30:00-03:00"),
        [
            ("¡Listo! Tu turno con la Dra. Sosa quedó reprogramado para el jueves 20 a las 10:30.", [("jueves", "viernes"), ("10:30", "11:30"), ("20 a", "27 a"), ("reprogramado", "cancelado")]),
            ("Ya cambié tu cita: 20 de agosto, 10:30 de la mañana, con la Dra. Sosa.", [("20 de agosto", "21 de agosto"), ("Dra. Sosa", "Dra. Molina"), ("cambié", "pagué")]),
        ],
    ),
    Fact(
        "pharmacy", "en", "2026-03-10T13:00:00-05:00",
        done("stock_check", {"product": "Vitamin D 1000 IU", "in_stock": 6, "price_usd": 9.5, "location": "Elm St"}),
        [
            ("We have 6 left at Elm St, $9.50 each.", [("6 left", "8 left"), ("$9.50", "$8.50")]),
            ("Yes, Vitamin D 1000 IU is in stock. Two would be $19.00.", [("$19.00", "$21.00"), ("is in stock", "is out of stock")]),
        ],
    ),
    Fact(
        "bank", "pt", "2026-05-20T15:00:00-03:00",
        done("block_card", {"card_last4": "4821", "status": "blocked", "replacement_days": 7}, card_last4="4821"),
        [
            ("Seu cartão final 4821 foi bloqueado. O novo chega em até 7 dias.", [("4821", "4812"), ("7 dias", "3 dias"), ("bloqueado", "cancelado")]),
            ("Bloqueei o cartão 4821, pode ficar tranquilo.", [("Bloqueei", "Desbloqueei"), ("4821", "8421")]),
        ],
    ),
    Fact(
        "course", "es", "2026-04-06T12:00:00-06:00",
        "Inglés intermedio: lunes y miércoles de 18:00 a 19:30. Inicia el 4 de mayo. Cuesta $1,200 al mes. Inscripción de $300, única vez.",
        [
            ("El intermedio es los lunes y miércoles, de 6 a 7:30 de la tarde, y empieza el 4 de mayo.", [("miércoles", "jueves"), ("4 de mayo", "14 de mayo"), ("7:30", "8:30")]),
            ("Cuesta $1,200 mensuales más $300 de inscripción: el primer mes serían $1,500.", [("$1,500", "$1,600"), ("$300", "$350")]),
        ],
    ),
    Fact(
        "courier", "pt", "2026-07-08T17:00:00-03:00",
        done("track_parcel", {"code": "BR55120", "status": "out_for_delivery", "carrier": "Loggi", "eta": "2026-07-08"}),
        [
            ("Seu pacote BR55120 saiu para entrega com a Loggi e chega hoje!", [("BR55120", "BR55210"), ("Loggi", "Jadlog"), ("hoje", "amanhã"), ("saiu para entrega", "foi entregue")]),
            ("Boa notícia: a encomenda está a caminho, previsão pra hoje ainda 🚚", [("hoje", "sexta"), ("está a caminho", "foi devolvida")]),
        ],
    ),
    Fact(
        "gym", "en", "2026-01-12T07:20:00+00:00",
        done("freeze_membership", {"member": "G-310", "frozen_from": "2026-01-12", "frozen_until": "2026-02-11", "days": 30}, days=30),
        [
            ("Done! Your membership G-310 is frozen for 30 days, until 11 February.", [("30 days", "45 days"), ("11 February", "21 February"), ("frozen", "cancelled")]),
            ("I've paused it from today until Wednesday 11 Feb.", [("Wednesday", "Friday"), ("paused", "refunded")]),
        ],
    ),
    Fact(
        "restaurant", "pt", "2026-11-13T18:00:00-03:00",
        done("join_waitlist", {"party": 4, "position": 3, "wait_minutes": 25, "name": "Bia"}, party=4, name="Bia"),
        [
            ("Bia, você está na 3ª posição da fila para 4 pessoas, espera de uns 25 minutos.", [("3ª", "2ª"), ("25 minutos", "10 minutos"), ("4 pessoas", "6 pessoas")]),
            ("Coloquei vocês na lista de espera! São 25 minutinhos, por volta das 18h25.", [("18h25", "18h45"), ("25 minutinhos", "15 minutinhos")]),
        ],
    ),
    Fact(
        "utility", "es", "2026-12-10T10:00:00-03:00",
        done("bill", {"account": "88-10", "period": "2026-11", "due_on": "2026-12-18", "amount_ars": 23500, "status": "unpaid"}),
        [
            ("La factura de noviembre es de $23.500 y vence el viernes 18 de diciembre. Todavía figura impaga.", [("23.500", "25.300"), ("viernes 18", "lunes 21"), ("noviembre", "octubre"), ("Todavía figura impaga", "Ya está pagada")]),
            ("Tenés 8 días para pagar: vence el 18/12.", [("8 días", "12 días"), ("18/12", "28/12")]),
        ],
    ),
    Fact(
        "optician", "pt", "2026-08-03T09:30:00-03:00",
        done("order_status", {"order": "O-771", "item": "óculos de grau", "status": "ready", "balance_due_cents": 21000, "paid_cents": 14000}),
        [
            ("Seus óculos estão prontos para retirada! Falta pagar R$ 210,00.", [("R$ 210,00", "R$ 120,00"), ("prontos para retirada", "a caminho da sua casa")]),
            ("O pedido O-771 ficou pronto. Você já pagou R$ 140 e restam R$ 210, de um total de R$ 350.", [("R$ 350", "R$ 370"), ("O-771", "O-717")]),
        ],
    ),
    Fact(
        "tickets", "en", "2026-05-04T20:00:00-04:00",
        done("refund_ticket", {"order": "T-4410", "refund_usd": 64.0, "method": "card", "business_days": 5}, order="T-4410"),
        [
            ("I've refunded $64.00 for order T-4410 to your card. Expect it within 5 business days.", [("$64.00", "$46.00"), ("5 business days", "2 business days"), ("T-4410", "T-4401")]),
            ("Your refund of $64 is done; it takes up to five business days to show on your card.", [("five", "three"), ("$64", "$84")]),
        ],
    ),
    Fact(
        "salon", "pt", "2026-10-19T14:00:00-03:00",
        done("free_slots", {"service": "corte", "price_cents": 7000, "slots": ["2026-10-20T09:00:00-03:00", "2026-10-20T16:30:00-03:00", "2026-10-22T11:00:00-03:00"]}),
        [
            ("Para corte tenho amanhã às 9h ou 16h30, e quinta às 11h. Sai R$ 70.", [("16h30", "17h30"), ("quinta", "quarta"), ("R$ 70", "R$ 60")]),
            ("São 3 horários livres: terça 20/10 (9h e 16h30) e quinta 22/10 (11h).", [("3 horários", "5 horários"), ("22/10", "23/10")]),
        ],
    ),
    Fact(
        "condo", "pt", "2026-03-02T09:00:00-03:00",
        "Salão de festas: uso até as 22h, máximo de 60 convidados. Taxa de R$ 180,00. Reservas com 10 dias de antecedência. Animais não são permitidos no salão.",
        [
            ("O salão comporta até 60 convidados e pode ser usado até as 22h. A taxa é R$ 180.", [("60", "80"), ("22h", "23h"), ("180", "150")]),
            ("Reserve com pelo menos 10 dias de antecedência. Animais não podem entrar no salão.", [("10 dias", "5 dias"), ("não podem entrar", "podem entrar")]),
        ],
    ),
    Fact(
        "moving", "en", "2026-09-01T10:00:00+10:00",
        "Delivery: orders over $80 ship free, otherwise shipping is $9. We ship within 2 business days. No returns on sale items. Store open Monday to Friday 9am-5pm.",
        [
            ("Shipping is free over $80; below that it's $9. Orders leave within 2 business days.", [("$80", "$60"), ("$9", "$7"), ("2 business days", "4 business days")]),
            ("Sale items can't be returned, sorry. We're open Monday to Friday, 9 to 5.", [("can't be", "can be"), ("Friday", "Saturday")]),
        ],
    ),
    Fact(
        "approval", "pt", "2026-06-15T10:00:00-03:00",
        ToolCall("cancel_order", {"order_number": "10388"}, "awaiting_approval", None),
        [
            ("Encaminhei o pedido de cancelamento do 10388 para um responsável aprovar.", [("Encaminhei o pedido de cancelamento do", "Cancelei o pedido"), ("10388", "10833")]),
            ("Sua solicitação de cancelamento do pedido 10388 está aguardando a confirmação da equipe.", [("está aguardando a confirmação da equipe", "foi aprovada e o valor estornado")]),
        ],
        customer="cancela o 10388",
    ),
    Fact(
        "refused", "es", "2026-02-20T11:00:00-06:00",
        ToolCall("book_table", {"people": 5, "time": "21:00"}, "business_error", {"code": "full", "next_free": "22:30"}),
        [
            ("A las 21 ya no tenemos lugar para 5, pero sí a las 22:30. ¿Te sirve?", [("22:30", "20:30"), ("ya no tenemos lugar para 5, pero sí a las 22:30", "ya quedó tu mesa para 5")]),
            ("Lo siento, a las 21:00 está lleno. Lo próximo que hay es 22:30.", [("22:30", "23:15")]),
        ],
        customer="mesa para 5 a las 21",
    ),
    Fact(
        "consortium", "pt", "2026-04-10T10:00:00-03:00",
        done("loan_status", {"contract": "E-90", "installments_total": 24, "installments_paid": 9, "installment_cents": 31050, "next_due_on": "2026-04-20"}),
        [
            ("Você pagou 9 de 24 parcelas; faltam 15 de R$ 310,50. A próxima vence dia 20.", [("faltam 15", "faltam 12"), ("310,50", "301,50"), ("dia 20", "dia 25")]),
            ("Ainda restam quinze parcelas, a próxima em 20/04, segunda-feira.", [("quinze", "dezesseis"), ("segunda", "terça")]),
        ],
    ),
    Fact(
        "clinic", "en", "2026-07-06T09:00:00-04:00",
        done("opening_hours", {"open_now": True, "closes_at": "18:00", "saturday": "09:00-13:00", "sunday": "closed"}),
        [
            ("Yes, we're open now, until 6 pm today.", [("6 pm", "8 pm"), ("now, until 6 pm", "now, until 9:30 pm")]),
            ("On Saturdays we're open from 9 am to 1 pm, and closed on Sundays.", [("1 pm", "3 pm"), ("closed on Sundays", "open on Sundays")]),
        ],
    ),
]  # fmt: skip

REWORDED: Final = [
    pytest.param(fact, wording, id=f"{fact.name}-{number}")
    for fact in FACTS
    for number, (wording, _) in enumerate(fact.wordings)
]
CHANGED: Final = [
    pytest.param(fact, wording.replace(old, new, 1), old, id=f"{fact.name}-{number}-{old}")
    for fact in FACTS
    for number, (wording, changes) in enumerate(fact.wordings)
    for old, new in changes
]


@pytest.mark.parametrize(("fact", "wording"), REWORDED)
def test_that_a_fact_goes_out_in_whatever_words(fact: Fact, wording: str) -> None:
    assert fact.unsupported(wording) == []


@pytest.mark.parametrize(("fact", "reply", "old"), CHANGED)
def test_that_a_reply_with_one_piece_changed_is_held_back(fact: Fact, reply: str, old: str) -> None:
    assert fact.unsupported(reply), f"{old} was changed: {reply}"


def test_that_an_amount_changed_at_random_is_held_back() -> None:
    chance = random.Random(SEED)
    for fact in FACTS:
        for wording, _ in fact.wordings:
            odd = f"R$ {chance.randrange(70_000, 99_000) + 0.37:.2f}".replace(".", ",")
            unsupported = fact.unsupported(f"{wording} O valor é {odd}.")
            assert any(odd in part for part in unsupported), (SEED, fact.name, wording)
