"""How business functions, keys and short values of results are named, and what that tells."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final

WRITING: Final = frozenset(
    """cancel refund book schedule create open request update change send register add remove block unblock activate deactivate apply reserve confirm pay issue generate subscribe
    unsubscribe transfer release reset extend renew upgrade downgrade assign submit place make set start stop pause resume enrol enroll sign notify forward escalate dispatch ship return
    exchange approve reject delete edit modify log save order charge restart reboot reprint resend redeem waive reschedule reassign reissue reopen reactivate reorder rebook handoff hand
    file report record put push move swap replace print email mail text call hold freeze unfreeze lock unlock enable disable turn switch close finish complete void revoke grant credit
    debit adjust correct fix mark note append drop withdraw deposit sell buy purchase checkout rent lend loan borrow recover restore attach invite join leave opt raise lower increase
    cancelar agendar remarcar marcar criar abrir solicitar pedir atualizar alterar mudar enviar reenviar registrar cadastrar adicionar incluir remover excluir bloquear desbloquear ativar
    desativar aplicar reservar confirmar emitir gerar estornar reembolsar trocar devolver transferir liberar renovar prorrogar matricular inscrever anular crear actualizar cambiar
    generar reprogramar reagendar pausar retomar suspender encaminhar passar chamar acionar baixar quitar pagar cobrar salvar anotar crear abrir eliminar anadir agregar activar
    desactivar bloquear desbloquear emitir inscribir guardar derivar avisar notificar mandar""".split()
)
"""What a function's name begins with if it acts."""
READING: Final = frozenset(
    """status info information detail details list history lookup search quote estimate estimates options policy policies rules availability balance summary tracking track price prices
    rates slots terms limit limits eligibility window windows count check preview calculate get find show view""".split()
)
"""What a function's name ends with if it only looks, whatever it begins with: ``return_policy``."""
ASKS: Final = frozenset(
    "request solicitar pedir submit solicita schedule book reserve arrange plan agendar marcar programar reservar".split()
)
DIGIT_KEYS: Final = frozenset({"cents", "centavos", "cent"})
UNIT_KEYS: Final = {
    "day": "day", "days": "day", "nights": "day", "noites": "day", "noches": "day", "diarias": "day", "dias": "day", "dia": "day", "business": "", "hour": "hour", "hours": "hour", "horas": "hour", "minutes": "minute",
    "minutos": "minute", "min": "minute", "weeks": "week", "semanas": "week", "months": "month", "month": "month", "meses": "month", "years": "year", "anos": "year",
    "installments": "installment", "parcelas": "installment", "cuotas": "installment", "percent": "percent", "pct": "percent", "percentage": "percent",
    "porcentagem": "percent", "percentual": "percent", "km": "km", "kg": "kg", "people": "person", "guests": "person", "pessoas": "person",
    "party": "person", "mbps": "mega", "mb": "mega", "gb": "mega", "mega": "mega", "slots": "slot", "vagas": "slot",
}  # fmt: skip
STOCK: Final = frozenset(
    "stock available quantity qty slots vagas estoque disponivel seats left remaining availability free vacancies vacancy vagas livres libres open disponiveis disponibles cupos cupo spots places units".split()
)
WHEN: Final = frozenset((word,) for word in "at on until from by time date in".split())
_STAY: Final = re.compile(r"(check)[_ -]?(in|out)(?![a-z])", re.IGNORECASE)
NOTHING: Final = re.compile(
    r"(?:no|not|none|off|nao|não|sem|sin|never|ningun\w*|nenhum\w*|false|disabled|unavailable|inactive)(?![a-z])"
)
_KEY_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
OUT: Final = (
    (
        re.compile(
            r"out for delivery|in transit|on the way|saiu para entrega|em transito|a caminho|en camino|en reparto|dispatched|shipped|enviado"
        ),
        "ship underway forward",
    ),
    (re.compile(r"\bdelivered|entregue|entregado"), "ship arrive receive"),
    (re.compile(r"await|pending|aguard|pendente|pendiente"), "await"),
    (re.compile(r"in stock|em estoque|disponivel"), "available stock"),
    (
        re.compile(
            r"\btaken\b|fully booked|\bfull\b|ocupad[oa]|lotad[oa]|out of stock|sold out|sem estoque|esgotado|unavailable"
        ),
        "soldout",
    ),
    (re.compile(r"\b(?:ready|pronto|listo)\b"), "prepare finish available"),
    (
        re.compile(r"sem uso|sin uso|sin usar|nao usad|not used|never worn"),
        "unused",
    ),
    (
        re.compile(r"in progress|em andamento|processing|under review|in review|em analise"),
        "start verify process prepare work",
    ),
    (re.compile(r"\bno show|did not attend"), "lose"),
    (re.compile(r"\bdone|completed|concluded|ok\b"), "finish"),
    (re.compile(r"\boff\b|\bdisabled\b|\bdesligad|\bdesativad"), "block remove"),
    (re.compile(r"\boverdue|past due|em atraso|vencid|unpaid|em aberto"), "expire open await delay"),
    (re.compile(r"too late|deadline passed|expired"), "end expire deadline"),
)


def moment_of(text: str, now: datetime) -> datetime | None:
    if not re.match(r"\d{4}-\d\d-\d\d", text):
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.astimezone(now.tzinfo) if moment.tzinfo and now.tzinfo else moment


def key_words(key: str) -> tuple[str, ...]:
    return tuple(word.lower() for word in _KEY_WORD.findall(_STAY.sub(r"\1\2", key)))
