"""How values are written: the patterns behind ``values``, over folded text."""

from __future__ import annotations

import re
from typing import Final

from agent.dates import MONTH_OF, WEEKDAY_OF
from agent.quantities import WORD_VALUES

LONE: Final = frozenset({"um", "uma", "un", "una", "one", "meia", "media", "half"})

ONLY_IN: Final = {"dos": "es", "once": "es", "ten": "en", "seis": "", "six": "en"}

WORDS: Final = "|".join(
    sorted((*WORD_VALUES, "mil", "media", "half", "doscientas", "trescientas", "six"), key=len, reverse=True)
)

SPELLED: Final = rf"(?:{WORDS})(?:(?: e | y | and |-| )(?:{WORDS}))*"

AMOUNT: Final = r"\d{1,3}(?:[.,]\d{3})+(?:[.,]\d{1,2})?(?!\d)|\d{1,12}(?:[.,]\d{1,3})?(?!\d)"

CURRENCIES: Final = {
    "r$": "BRL", "us$": "USD", "u$s": "USD", "u$": "USD", "$": "", "€": "EUR", "£": "GBP", "reais": "BRL", "real": "BRL",
    "brl": "BRL", "dolar": "USD", "dolares": "USD", "dollar": "USD", "dollars": "USD", "usd": "USD", "euro": "EUR",
    "euros": "EUR", "eur": "EUR", "pesos": "", "peso": "", "conto": "BRL", "contos": "BRL", "pila": "BRL", "pilas": "BRL",
    "bucks": "USD", "soles": "", "centavos": "c", "cents": "c",
}  # fmt: skip

NAMED_CURRENCY: Final = (
    r"(?:reais|real|brl|dolar(?:es)?|dollars?|usd|euros?|eur|pesos?|contos?|pilas?|bucks|soles|centavos|cents)\b"
)

UNITS: Final = {
    "minute": "minutos? minutinhos? minutes? mins? min", "hour": "horas? horinhas? hours? hrs? hs?",
    "businessday": "dias? uteis|dias? habiles|business days?|working days?|dias? laborables?",
    "day": "dias? days? diarias? noites? noches? nights?", "week": "semanas? weeks?", "month": "mes meses months? mensalidades?",
    "year": "anos? years?", "installment": "parcelas?|vezes|x|cuotas|instal?lments?|pagamentos|pagos|payments?",
    "percentpoint": "pontos? percentuais|puntos? porcentuales",
    "kg": "kgs? quilos? kilos? kilogramas?", "g": "g gramas? gramos?", "km": "kms? quilometros? kilometros?", "m": "m metros?",
    "cm": "cms? centimetros?", "mm": "mm", "l": "l litros? liters?", "ml": "ml", "mega": "mega|megas|mbps|mb|gigas?|gb|gbps",
    "unit": "unidades? unids? units? pecas? piezas? pieces? itens items? item pares? pairs? caixas? cajas? boxes",
    "person": "pessoas personas people persons hospedes huespedes guests lugares",
    "session": "sessoes sesiones sessions aulas clases classes lessons consultas visitas",
    "point": "pontos puntos points", "slot": "vagas? cupos? slots? horarios",
}  # fmt: skip

UNIT_PATTERNS: Final = [
    (
        unit,
        re.compile(
            rf"[\s-]?(?:{'|'.join(part for part in (words.split('|') if '|' in words else words.split()))})\b(?!/)"
        ),
    )
    for unit, words in sorted(UNITS.items(), key=lambda pair: pair[0] != "businessday")
]

URL: Final = re.compile(
    r"https?://[^\s<>\"')\]]+|(?<![@\w.])(?:[a-z0-9-]+\.)+(?:com|net|org|br|io|app|me|link|shop|store|es|mx|ar|co|cl|pt|dev|info|biz|"
    r"online|site|example|edu|gov|us|uk|ly|gl)\b(?:\.[a-z]{2})?(?:/[^\s<>\"')\]]*)?"
)

EMAIL: Final = re.compile(r"[\w.+%-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,4}")

HANDLE: Final = re.compile(r"(?<![\w.])@[a-z0-9_.]{3,30}")

MARKED: Final = re.compile(
    rf"(?P<sign>r\s?\$|us\s?\$|u\$s|\$|€|£)\s*(?P<amount>{AMOUNT})(?P<mil>\s*(?:mil|k|thousand)\b)?"
)

AFTER: Final = re.compile(
    rf"(?<![\w.,/])(?P<amount>{AMOUNT})(?P<mil>\s*(?:mil|k|thousand)\b)?\s*(?:de )?(?P<sign>{NAMED_CURRENCY}|€)"
)

SAID: Final = re.compile(
    rf"\b(?P<amount>{SPELLED})\s+(?:de )?(?P<sign>{NAMED_CURRENCY})(?: e (?P<cents>{SPELLED}|\d\d) centavos)?"
)

PERCENT: Final = re.compile(
    rf"(?<![\w.,])(?P<amount>{AMOUNT})\s*(?:%|por ?cento|por ?ciento|percent\b|per cent)|\b(?P<words>{SPELLED}) (?:por cento|por ciento|percent)"
)

ISO: Final = re.compile(r"(?<![\d-])(?P<y>(?:19|20)\d\d)-(?P<m>\d\d)(?:-(?P<d>\d\d))?(?![\d-])")

FIGURES: Final = re.compile(
    r"(?<![\d/.,-])(?P<a>\d{1,2})(?P<mark>[/.-])(?P<b>\d{1,2})(?:(?P=mark)(?P<y>\d{4}|\d{2}))?(?![\d/-]|[.,]\d)"
)

MONTH: Final = "|".join(sorted(MONTH_OF, key=len, reverse=True))

NAMED: Final = re.compile(
    rf"\b(?P<d>\d{{1,2}}|primeiro|primero)(?:º|°|o|st|nd|rd|th)?(?: de | of |/|-| )(?P<m>{MONTH})\b\.?(?:(?:,? (?:de |del )?|[/-])(?P<y>(?:19|20)\d\d))?"
)

NAMED_ENGLISH: Final = re.compile(
    rf"\b(?P<m>{MONTH})\.? (?:the )?(?P<d>\d{{1,2}})(?:st|nd|rd|th)?\b(?![:%])(?:,? (?P<y>(?:19|20)\d\d))?"
)

FROM_DAY: Final = re.compile(
    rf"(?<![\d/.,])(?P<d>\d{{1,2}})(?= (?:a|ao|ate|e|y|al|to|-|–|and|ou|o) (?:o dia |el |dia )?\d{{1,2}}(?:/(?P<m>\d{{1,2}})(?!\d)| de (?P<name>{MONTH})\b))"
)

DAY: Final = re.compile(
    rf"\b(?:dias?|el|the|on the|(?:{'|'.join(WEEKDAY_OF)})(?:[- ]feira)?,?(?: (?:dia|el|the))?) (?P<d>[0-3]?\d)(?:st|nd|rd|th)?\b(?![/:.,-]?\d|-[a-z]|\s*(?:h\b|am\b|pm\b|a\.m|p\.m|reais|%|unidades|itens|horas|(?:a|às|as|to|-|–) \d))"
)

RELATIVE: Final = (
    (re.compile(r"\b(?:depois de amanha|pasado manana|(?:the )?day after tomorrow)\b"), 2),
    (re.compile(r"\b(?:antes de ontem|anteontem|antes de ayer|anteayer|(?:the )?day before yesterday)\b"), -2),
    (re.compile(r"\b(?:amanha|(?<!la )(?<!por la )(?<!de la )(?<!esta )manana|tomorrow)\b"), 1),
    (re.compile(r"\b(?:ontem|ayer|anoche|yesterday|last night)\b"), -1),
    (re.compile(r"\b(?:hoje|hoy|today|tonight|esta noche)\b"), 0),
)

DAY_AT: Final = re.compile(r"\b(?:dia|el) (?P<d>[0-3]?\d)(?= (?:às|as|a las) \d)")
"""A day before an hour: "dia 24 às 20h"."""
ORDINAL_DAYS: Final = frozenset({"segunda", "terca", "quarta", "quinta", "sexta"})

WEEKDAY: Final = re.compile(
    rf"\b(?P<day>{'|'.join(sorted((*WEEKDAY_OF, *(f'{d}s' for d in WEEKDAY_OF if d not in {'mon', 'tue', 'wed', 'thu', 'fri'} and not d.endswith('s')), 'seg', 'ter', 'qua', 'qui', 'sex', 'sab'), key=len, reverse=True))})\b"
    r"(?P<feira>[- ]feiras?)?(?P<thing> (?:via|vez|parcela|opcao|unidade|troca|tentativa|mao|geracao|etapa|fase|cuota|aula|sessao))?"
)

SHORT_DAYS: Final = {"seg": 0, "ter": 1, "qua": 2, "qui": 3, "sex": 4, "sab": 5}

LEAD: Final = re.compile(
    r"(?:\b(?:n[ao]s?|[ao]s?|d[ao]|de|ate|para|pra|toda|proxim[ao]|é|cai|caem|fica|ficou|sera|ser|foi|era|so|ate|ness[ao]|ultim[ao]|est[ao]|ess[ao]|e|y|ou|ou na|cada|seja|entre|el|los|on)|[.!?,/:(\n•-])\s*$|^\s*$"
)

TIME: Final = re.compile(
    r"(?<![\d:.,/])(?P<dh>[01]?\d|2[0-4])\.(?P<dm>[0-5]\d) ?h(?:s|rs)?\b|"
    r"(?<![\d:.,/])(?P<h>[01]?\d|2[0-4])(?:\s?h(?:s|rs)?\b(?!\s?\d)(?! (?:depois|antes|de|por|apos|uteis|despues|before|after|a day))|\s?h\s?(?P<hm>[0-5]\d)\b|:(?P<m>[0-5]\d)(?::[0-5]\d)?(?:\s?h(?:s|rs)?\b)?|(?=\s?(?:a\.?m\b|p\.?m\b|(?:da|de la) (?:manha|tarde|noite|manana|noche)|in the (?:morning|afternoon|evening))))"
    r"(?:\s?(?P<half>a\.?m\b\.?|p\.?m\b\.?|(?:da|de la|in the) (?:manha|tarde|noite|manana|noche|morning|afternoon|evening)))?"
)

_ONE_WORD: Final = SPELLED.split(")(?:(?:")[0] + ")"
_HOUR: Final = rf"(?:vinte e (?:uma?|duas|dois|tres|quatro)|{_ONE_WORD})"

CLOCK: Final = re.compile(
    rf"\b(?:às|a las?|at|around(?= \d{{1,2}} (?:tonight|today|tomorrow))|ate às|ate as|ate|las|from|until|till?|by|das|desde las|entre as|entre às|e às|ou às|o a las|hasta las?) (?P<h>[01]?\d|2[0-4]|{_HOUR})(?:\s?h\b)?"
    r"(?: (?:e|y) (?P<m>meia|media|[0-5]\d|quinze|trinta|quinze|cuarto))?"
    r"(?P<half> ?(?:a\.?m\b\.?|p\.?m\b\.?|(?:da|de la|in the) (?:manha|tarde|noite|manana|noche|morning|afternoon|evening)))?(?![.,/:]?\d|[%\w])(?P<not>\s?(?:dias?|days?|minut|semanas?|weeks?|mes|months?|x|%|reais|parcelas|vezes|pessoas|anos|years|kg|km|unidades|itens|cuotas|personas))?"
)

RANGE: Final = re.compile(
    r"\b(?:das?|de|from|entre|between|desde(?: las)?)? ?(?<![\d:.,/])(?P<h>[01]?\d|2[0-4])(?= ?(?:h )?(?:às|as|a las|a|ate (?:as|às)|to|-|–|and|y|e (?:as|às)) ?(?:[01]?\d|2[0-4]) ?(?:h|:\d|am|pm|a\.m|p\.m|da (?:manha|tarde|noite)|de la (?:manana|tarde|noche)|in the))"
)

ORDINALS: Final = {
    "primeir": 1, "primer": 1, "first": 1, "segund": 2, "second": 2, "terceir": 3, "tercer": 3, "third": 3, "quart": 4, "cuart": 4, "fourth": 4, "quint": 5, "fifth": 5,
    "sext": 6, "sixth": 6, "setim": 7, "septim": 7, "seventh": 7, "oitav": 8, "octav": 8, "eighth": 8, "non": 9, "noven": 9, "ninth": 9, "decim": 10, "tenth": 10,
}  # fmt: skip
TIMES_OVER: Final = re.compile(
    rf"\b(?P<n>{'|'.join(ORDINALS)})[oa]? (?=(?:vez|time|ano|ano|serie|grade|year|andar|piso|floor|posicao|posicion|lugar|place|in line|da fila|en la fila|periodo|semestre|fase|etapa|tentativa|intento|attempt)\b)"
)

BARE_RANGE: Final = re.compile(
    rf"(?:\b(?:open|{'|'.join(WEEKDAY_OF)})s?(?:[- ]feira)?,? (?:from |de |das )?)(?P<a>1?\d) ?(?:to|a|às|-|–|until|till) ?(?P<b>1?\d)(?![\w%/.,:-]*\d|\w| ?(?:h\b|horas|am\b|pm\b|a\.m|p\.m|de |da |dias|days|guests|people))"
)

COUNTED: Final = re.compile(r" (?!(?:as|às|a|e|ate|da|de|horas?|para|pra|no|na|em|com|ou)\b)[a-z]{3,}")
"""What follows a number that counts things: "12 das 20 aulas"."""

SPELLED_CLOCK: Final = re.compile(
    rf"\b(?P<h>{SPELLED.split(')(?:(?:')[0]}))(?: horas)?(?: (?:e|y) (?P<m>meia|media|quinze|cuarto|trinta))? (?P<half>(?:da|de la|in the) (?:manha|tarde|noite|manana|noche|morning|afternoon|evening))"
)

PAST: Final = re.compile(
    rf"\b(?P<part>half past|quarter past|quarter to|half(?= (?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve)\b)) (?P<h>1?\d|{SPELLED.split(')(?:(?:')[0]}))\b(?: (?P<half>in the (?:morning|afternoon|evening)))?"
)
PAST_MINUTES: Final = {"half": 30, "half past": 30, "quarter past": 15, "quarter to": -15}
BEFORE: Final = re.compile(
    rf"\b(?P<n>(?:um |un )?quarto|(?:un )?cuarto|[1-5]?\d|{_ONE_WORD}) (?:minut(?:o|os|inhos) )?(?:para|pra) (?:as?|às?|o|la?s?|el) (?P<h>meio[- ]dia|meia[- ]noite|mediodia|medianoche|1?\d|{_ONE_WORD})\b|"
    rf"\blas? (?P<es>1?\d|{_ONE_WORD}) menos (?P<less>cuarto|[1-5]?\d|{_ONE_WORD})\b"
)
"""A time told by what is missing: "dez para as oito", "las nueve menos cuarto"."""
AGED: Final = re.compile(r"\b(?:over|under)[- ](?P<n>\d{1,3})s?\b(?! ?%)")
"""People of an age: "over-65s"."""
THOUSAND: Final = re.compile(r" ?(?:mil|thousand)\b|k\b")
QUARTER: Final = re.compile(r"\b(?:a quarter of an hour|um quarto de hora|un cuarto de hora)\b")

NOON: Final = re.compile(
    r"\b(?P<noon>meio[- ]dia|mediodia|noon|midday)|\b(?P<midnight>meia[- ]noite|medianoche|midnight)"
)

PHONE: Final = re.compile(
    r"\+\d[\d .\-()]{7,20}\d|(?<![\d\w])\(?0?\d{2}\)?[ -]?9?[ ]?\d{4}[- .]\d{4}(?!\d)|(?<!\d)9?\d{4}-\d{4}(?![\d-])|(?<!\d)0?[38]00[ -]?\d{3}[ -]?\d{3,4}(?!\d)"
)

SHAPED: Final = re.compile(
    r"(?<!\d)(?:\d{3}\.\d{3}\.\d{3}[-./ ]?\d{2}|\d{2}\.\d{3}\.\d{3}/\d{4}-?\d{2}|\d{5}-\d{3}|\d{2}\.\d{3}-\d{3})(?!\d)"
)

CODE: Final = re.compile(
    r"#\s?[a-z0-9][\w/-]{0,30}|(?<![\w.,/@-])(?=[\w/.-]*\d)(?=[\w/.-]*[a-z])[a-z0-9][a-z0-9]*(?:[-_/.][a-z0-9]+)*|(?<![\w.,/@-])\d+(?:[-/]\d+)+(?![\w])|(?<![\w.,])\d{5,}(?![\w])"
)

SPOKEN_CODE: Final = re.compile(
    r"(?:c[oó]digo|cup[oóõ]\w*|coupon|code|voucher|senha|password|contrase\w*|login)\s+(?:promocional |é |es |is |de desconto |:\s?)?[\"'*“]?(?P<code>[A-Z][A-Z0-9]{3,})",
    re.IGNORECASE,
)

NUMBER: Final = re.compile(rf"(?<![\w])(?P<amount>{AMOUNT})(?P<nth>[ªº°]|[ao]\b|st\b|nd\b|rd\b|th\b)?")

WORDED: Final = re.compile(rf"(?<![\w-])(?P<words>{SPELLED})\b(?!-)")

HALF: Final = re.compile(r"\b(?:meia|media|half an?) (?P<unit>horas?|hours?|diaria|duzia)")

AND_HALF: Final = re.compile(r" (?:e|y|and) (?:meia|media|a half|meio|medio)\b")

ONE: Final = re.compile(
    r"\b(?:em|in|within|for|dentro de|de|ate|por|a cada|cada|daqui a|en|ha|hace|faz|mais)? ?(?:(?:um|uma|un|una) (?=(?:dia|semana|mes|ano|hora)\b)|(?:one|an?) (?=(?:day|week|month|year|hour)\b))"
)

STREET: Final = re.compile(
    r"\b(?:[Rr]ua|R\.|[Aa]venida|[Aa]v\.?|[Aa]lameda|[Tt]ravessa|[Pp]ra[cç]a|[Rr]odovia|[Ee]strada|[Cc]alle|[Aa]vda\.?|[Cc]arrera|[Pp]laza)\s+(?:[A-ZÁÉÍÓÚÂÊÔÃÕÇ0-9][\wÀ-ÿ.]*|d[aeo]s?\b)"
    r"(?:\s+(?:[A-ZÁÉÍÓÚÂÊÔÃÕÇ][\wÀ-ÿ.]*|(?:d[aeo]s?|de|la|e)\b))*|\b\d+\s(?:[A-Z][\w.]*\s){1,3}(?:Street|St\.?|Avenue|Ave\.?|Road|Rd\.?)(?!\w)",
)

PART: Final = re.compile(
    r"\b(?:à|às|de|da|pela|na|nesta|esta|por la|a la|en la|de la|in the|this|tomorrow|amanha|manana|hoje|hoy) (?:(?P<m>manhas?|mananas?|mornings?)|(?P<a>tardes?|afternoons?)|(?P<e>noites?|noches?|evenings?))\b"
)

PARTS_OF_DAY: Final = {"m": tuple(range(300, 720)), "a": tuple(range(721, 1140)), "e": tuple(range(1080, 1440))}

_NEXT_WEEK = r"semana que vem|semana que viene|(?:na |la )?proxima semana|semana proxima|next week"
_NEXT_MONTH = r"mes que vem|mes que viene|(?:no |el )?proximo mes|mes proximo|next month"
_THIS_WEEK = r"(?:nessa|nesta|essa|esta) semana|this week"
_THIS_MONTH = r"(?:nesse|neste|esse|este) mes|this month"
PERIOD: Final = re.compile(
    rf"\b(?:(?P<next>(?:{_NEXT_WEEK})|(?P<month>{_NEXT_MONTH}))|(?:{_THIS_WEEK})|(?P<this>{_THIS_MONTH}))\b"
)
LASTING: Final = re.compile(
    rf"(?<![\w.,/:])(?P<h>\d{{1,2}}|{SPELLED.split(')(?:(?:')[0]})) (?:horas?|horinhas?|hours?|hrs?|h) (?:(?:e|y|and) )?(?P<m>\d{{1,2}}|{SPELLED}) ?(?:minutos?|minutinhos?|minutes?|mins?|min)\b"
)
NTH: Final = re.compile(
    r"\b(?P<n>primeir|segund|terceir|primer|tercer|first|second|third)[oa]? (?=(?:troc|cambi|exchang|return|devol|consult|compr|purchas|order|parcel|cuota|mensalid|aula|"
    r"class|visit|unidade|peca|session|sess|item|pedido|tentativ|multa|delivery|entrega))"
)

MARKER: Final = re.compile(r"(?:^|\n)[ \t]*(?:[-•*]\s*)?(\d{1,2})(?:[.)]|\s?[-–]\s)(?=\s?\D)", re.MULTILINE)

IDIOMS: Final = re.compile(
    r"\b(?:(?:voces|vcs|ustedes|you) (?:dois|duas|dos|two)|o[s]? dois|as duas|los dos|las dos|the two|the 2|both|nos dois|cafe da manha|um (?:minutinho|segundinho|instantinho)|un (?:minutito|segundito|momentito)|a (?:sec|tick)|um ou dois|mil (?:desculpas|perdoes|perdones|disculpas|gracias|obrigad\w+|beijos|abracos)|"
    r"dois (?:segundos|segundinhos|minutinhos)|24 ?h(?:oras)? por dia nao|cpf (?:tem|com|de|sao)(?: os)? (?:11|onze)(?: (?:digitos|numeros))?|"
    r"(?:11|onze) (?:digitos|numeros)(?: do (?:seu )?cpf)?|(?:8|oito) (?:digitos|numeros) do (?:seu )?cep|segunda via|primeira vez|"
    r"\d? ?(?:estrelas?) nao|uma ou duas|dos palabras|duas palavras|passo a passo|covid-19|mp3|mp4|h2o|b2b|24/7 nao|a1 nao|4g|5g|3d|a4)\b"
)

PARTS: Final = {"meia": 30, "media": 30, "quinze": 15, "cuarto": 15, "trinta": 30}

FIGURE_OR_WORD: Final = re.compile(rf"(?<![\w.,/])(?:{AMOUNT})(?!\d)|(?<![\w-])(?:{SPELLED})(?![\w])")


def spelled(words: str, language: str) -> int | None:
    """What number words mean ("dois mil e quinhentos" → 2500); None where they are other words in ``language``."""
    total = current = 0
    parts = [part for part in re.split(r"[\s-]+", words) if part not in {"e", "y", "and"}]
    if len(parts) == 1 and ONLY_IN.get(parts[0], language) not in {language, ""}:
        return None
    if parts == ["mil"]:
        return None
    for part in parts:
        if part == "mil":
            total, current = total + max(1, current) * 1000, 0
        else:
            current += WORD_VALUES.get(part, 0)
    return total + current
