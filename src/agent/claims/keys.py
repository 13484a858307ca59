"""How business functions, keys and short values of results are named, and what that tells."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from agent.claims.lexicon import concept_of

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
_EACH: Final = frozenset("per por this next last each every cada a".split())
"""What makes a unit a measure of something else: ``price_per_kg``, ``invoices_this_month``."""
_AFTER_UNIT: Final = frozenset(
    "left remaining until to after before ahead late overdue used included max min maximum minimum total notice restantes atraso faltantes maximo minimo".split()
)
_RATED: Final = frozenset("rate cost amount count value limit score id number".split())
_PRICED: Final = frozenset({"price", "fee", "freight", "fine", "tax"})
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


def unit_of(keys: tuple[str, ...]) -> str:
    """The unit that a number's name gives it: ``warranty_days``; none where it is counted per unit, or costs so much."""
    found = [(place, unit) for place, word in enumerate(keys) if (unit := UNIT_KEYS.get(word)) is not None]
    if len(found) > 1 and "min" in keys:  # the least, not minutes
        found = [(place, unit) for place, unit in found if keys[place] != "min"]
    if not found or any(concept_of(word) in _PRICED for word in keys):
        return ""
    place, unit = found[-1]
    lasts = unit in {"minute", "hour", "day", "week", "month", "year"}
    if (place and keys[place - 1] in _EACH) or (lasts and not _AFTER_UNIT.issuperset(keys[place + 1 :])):
        return ""
    return "businessday" if unit == "day" and "business" in keys else unit


def is_attribute(key: str) -> bool:
    """Whether a key names a property ("hours", "hourly_rate") and not a thing that is counted or priced by its name."""
    words = key_words(key)
    return unit_of(words) != "" or any(
        word in _RATED or concept_of(word) in {*_PRICED, "total", "balance", "discount"} for word in words
    )


NAMING: Final = frozenset(
    "step task stage_name name title item service job action phase_name etapa passo tarefa servico tarea paso servicio exam procedure".split()
)
"""Keys under which a record names what it is about."""
_ENDED: Final = re.compile(
    r"(?:done|completed?|finished|ok|concluid\w*|feit\w*|pronto|realizad\w*|complet\w*|hech\w*|listo|terminad\w*)$"
)
_OPEN: Final = re.compile(
    r"(?:pending|not[_ ]|todo|to[_ ]do|waiting|awaiting|scheduled|planned|pendente|pendiente|aguard\w*|agendad\w*|in[_ ]progress)"
)


def is_ended(record: Mapping[Any, Any]) -> bool | None:
    """Whether a record says of itself that it is done, or that it is not; None where it says neither."""
    for key, value in record.items():
        name = str(key).lower()
        if name in {"done", "completed", "finished", "complete"} and isinstance(value, bool):
            return value
        if name in {"status", "state", "situacao", "estado"} and isinstance(value, str):
            text = value.lower()
            return True if _ENDED.match(text) else False if _OPEN.match(text) else None
    return None


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
