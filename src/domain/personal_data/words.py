"""Personal data that are words rather than numbers: e-mail, addresses, dates of birth, passwords, keys, codes."""

from __future__ import annotations

import re
from typing import Final

from domain.personal_data.found import Finds, Kind
from domain.personal_data.labels import Labels

_EMAIL: Final = re.compile(r"[\w.+%'\-]{1,64}@[\w\-]{1,63}(?:\.[\w\-]{2,63})+(?<![.\-])")
_PROVIDERS: Final = r"(?:gmail|hotmail|outlook|yahoo|icloud|live|bol|uol|terra|protonmail|msn|ig|globo|me)"
_LOOSE_EMAIL: Final = re.compile(
    rf"[\w.+\-]{{2,64}} ?@ ?{_PROVIDERS}(?: ?[.,] ?(?:com|net|org|br|es|mx|ar|cl|co)\b)*\b|"
    r"[\w.+\-]{2,64}(?: ponto [\w\-]+)? ?(?:\barroba\b|\(at\)|\[at\]|\(arroba\)|\[arroba\]) ?"
    r"[\w\-]+(?:(?: ?\. ?| ponto | punto | dot | ?\(dot\) ?| ?\[dot\] ?)[a-z]{2,})+|"
    r"[\w.+\-]{2,64} at [\w\-]+(?: dot [a-z]{2,})+"
)
_LOOSE_HINT: Final = r" ?@|arroba|\(at\)|\[at\]| at .{1,40} dot "
_UUID: Final = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{24})\b")
_KEY: Final = re.compile(
    r"\b(?:sk|pk|rk)[-_](?:live[-_]|test[-_]|proj-|ant-)?[\w\-]{16,}|\bgh[pousr]_\w{20,}|\bgithub_pat_\w{20,}|"
    r"\bakia[0-9a-z]{12,}|\beyj[\w\-]{8,}\.[\w\-]{6,}(?:\.[\w\-]*)?|\bxox[abprs]-[\w\-]{8,}|\baiza[\w\-]{20,}|"
    r"\bglpat-[\w\-]{12,}|\bapp_usr-[\w\-]{10,}|\b\d{8,10}:aa[\w\-]{30,}"
)
_KEY_CALLED: Final = re.compile(
    r"(?<![a-z])(?:token|(?:access|refresh|auth)[ _\-]token|api[ _\-]?key|apikey|(?:chave|clave)(?: (?:da|de|do|"
    r"de la))? ?api|secret(?:[ _]key)?|client[ _]secret|"
    r"access key|bearer|chave secreta|clave secreta)\b"
    r"(?: (?:da|do|de|of|for|la|el|my|the|api|acesso|access|minha|meu|loja|conta) ?){0,4}"
    r"\s*(?:\b(?:e|eh|is|es)\b|[:=\->]+)?\s*[\"'`]?(?P<value>[\w.\-/+=]{8,})"
)
_IS: Final = r"(?:'s\b|\s*(?:[:=]+>?|->|\b(?:e|eh|is|es|era|was|sera)\b(?:\s*:)?)\s*)"
_PASSWORD: Final = re.compile(
    r"\b(?:senhas?|password|passwd|pwd|passcode|pass(?=\s*[:=])|contrasenas?|contraseña|clave(?! (?:pix|"
    r"aleatoria|api))|pin)\b"
    r"(?P<of>(?:[ ,](?:do|da|de|del|of|for|to|the|my|no|na|pro|pra|meu|minha|mi|la|el|atual|nova|antiga|provisoria|"
    r"temporaria|acesso|app|site|wi-?fi|cadastro|conta|email|e-mail|login|aplicativo|sistema|cuenta|account|nueva|"
    r"new|old|current|actual|anterior|cartao|tarjeta|card|banco|internet|loja|portal|q(?:ue)? (?:eu )?uso|antes|"
    r"agora|aqui|numerica|"
    r"para|pra|por|ficou|foi|eu|usuario|user|here|hoje|now)){0,5})"
    rf"(?P<is>{_IS})?\s*(?P<quote>[\"'“`*]?)(?P<value>[^\s\"'”`]{{3,40}})(?P<rest>[ \t]*\w*)"
)
_NO_PASSWORD: Final = frozenset(
    """
    ainda ali aquela aquele aqui blocked boa certa certo com como correct correta curta de debil dela dele diferente
    dificil el errada errado essa esse esta este expired facil forte fraca grande her his igual incorrect incorrecta
    incorreta incorreto invalid invalida invalido isso isto ja la locked longa mala mas mesma mesmo meu minha muito
    muy my nao necessaria no not nova novo numerica nunca obrigatoria ok onde only padrao para pela pelo pequena
    pessoal pois por porque pra precisa preciso qual quando que queria quero required ruim same secreta secreto
    segredo sem sempre seu sim simples so sua tambem the too um uma very weak what wrong your
    """.split()  # noqa: SIM905 - a list would be a page long
)
_PARTICIPLE: Final = re.compile(r"[a-z]+(?:ada|ido|ida|ado|ando|endo|indo|ed|ing)")
_CODE: Final = re.compile(
    r"\b(?P<word>codigo|cod|code|token|otp|pin|c[oó]digo)\b(?P<gap>[^\d\n]{0,60}?)"
    r"(?P<value>\b[a-z]-\d{4,8}|\d{3}[ \-]?\d{3}\b|\d{4,8})"
    r"(?![\d/,.\-]\d|\d|\w)"
)
_CODE_BEFORE: Final = re.compile(
    r"(?<![\d.,/\-])(?P<value>(?<!\w)g-\d{6}|\d{3}[ \-]?\d{3}|\d{4,8})(?![\d.,/\-]\d)\s*"
    r"(?:\b(?:e|eh|is|es|foi|was)\b\s*)(?:o |the |el |my |meu |mi |seu |tu |your )*"
    r"(?:codigo|code|otp|token)\b"
)
_ONE_TIME: Final = re.compile(
    r"\b(?:sms|verificacao|verificacion|verification|verify|confirmacao|confirmacion|confirmation|confirmar|"
    r"acesso|access|chegou|recebi|mandaram|mandou|enviaram|veio|llego|recibi|enviaron|autenticacao|authentication|"
    r"autenticador|one[ -]?time|otp|2fa|login|google|got|received|sent me|texted|ativacao|activation|whatsapp|"
    r"banco|entrar|"
    r"6 digitos|seis digitos)\b"
)
_OTHER_CODE: Final = re.compile(
    r"\b(?:produto|producto|product|rastreio|rastreamento|seguimiento|tracking|cupom|cupon|coupon|desconto|"
    r"discount|barras|"
    r"pedido|order|item|postal|area|peca|referencia|modelo|sku|retirada|reserva|promocional|promo|erro|error|"
    r"seguranca|"
    r"seguridad|security|cliente)\b"
)
_MONTHS: Final = r"(?:jan|fev|feb|mar|abr|apr|mai|may|jun|jul|ago|aug|set|sep|out|oct|nov|dez|dec|ene|dic)[a-z]*\.?"
_DATE: Final = re.compile(
    rf"\d{{1,2}} ?[/.\-] ?\d{{1,2}} ?[/.\-] ?(?:\d{{4}}|\d{{2}})(?!\d)|\d{{4}}-\d{{2}}-\d{{2}}(?!\d)|"
    rf"\d{{1,2}}(?:st|nd|rd|th|o)?(?: de| of)? {_MONTHS},?(?: de| del)? ?\d{{2,4}}(?!\d)|"
    rf"{_MONTHS} \d{{1,2}}(?:st|nd|rd|th)?,? \d{{4}}|\d{{1,2}} \d{{1,2}} (?:19|20)\d{{2}}(?!\d)|"
    r"[0-3]\d[01]\d(?:19|20)\d{2}(?!\d)"
)
_STREET: Final = (
    r"(?:ruas?|r\.|r:?(?= d[aeo]s? )|avenida|av(?:en)?\.?|avda\.?|alameda|al\.|travessa|trav\.?|tv\.?|estrada|"
    r"estr\.?|rodovia|rod\.|praca|pca\.?|largo|ladeira|viela|beco|servidao|calle|c/(?!c\b)|carrera|cra\.?|cl\.|"
    r"paseo|pasaje|camino|plaza|calzada|"
    r"passeio|via|vila|jiron|jr\.)"
)
_NAME: Final = r"(?:\d{1,2}o? d[eo] [a-z]+|[a-z][a-z.'’\-]*|\d{1,3}[a-z]?o?(?=\s*(?:,|#|n[o.])))"
_COMPLEMENT: Final = (
    r"(?:[\s,;\-/]+(?:(?:ap(?:to|t|artamento|\.)?|bloco|blc?|casa|cs|sala|sl|conj(?:unto)?|cj|torre|tr|lote|lt|"
    r"quadra|qd|andar|piso|departamento|depto|dpto|dto|puerta|apartment|suite|ste|unit|floor|interior|int|"
    r"edif(?:icio)?|bl)"
    r"\b\.?\s*(?:n?[o°]\s*)?[:\-]?\s*(?:\d+[a-z]?|[a-z]\d*)\b|\d{1,2}[oa]?\s*(?:andar|piso|floor|izquierda|"
    r"derecha|izq|dcha)\b|\d[oa]\s?[a-d]\b|fundos|"
    r"#\s?\d+[a-z]?))*"
)
_HOUSE: Final = r"\d{1,2}\.\d{3}|\d{1,3} ?- ?\d{2}(?!\d)|\d{1,5}(?:-?[a-z])?"
_ADDRESS: Final = re.compile(
    rf"(?<![a-z]){_STREET}[\s:]*(?P<name>{_NAME}(?:\s+{_NAME}){{0,6}}?)\s*(?:[,;]\s*|\s+|-\s*)"
    rf"(?P<sign>(?:n\s?[o°.]{{1,2}}|num(?:ero)?\.?|nro\.?|numero|no\.?|n|#|altura)\s*:?\s*)?(?P<house>{_HOUSE})"
    rf"(?![\d/:%]|[.,]\d|[a-z])(?!\s*(?:reais|dias?|horas?|hrs?|h|min|minutos|km|metros|m|anos|vezes|x|lojas|"
    rf"casas|pessoas|"
    rf"itens|pares|unidades|ano|hours|days)\b){_COMPLEMENT}"
)
_ENGLISH_ADDRESS: Final = re.compile(
    r"(?<![\w.,/$])\d{1,5}[a-z]? (?:(?!(?:at|the|of|in|for|a|to|my|is|from|on|and|or|"
    r"per) )[a-z0-9][a-z0-9.'\-]* ){1,4}"
    r"(?:street|st|avenue|ave|road|rd|boulevard|blvd|lane|ln|drive|dr|court|ct|place|pl|square|sq|terrace|"
    r"parkway|pkwy|highway|way)"
    rf"\b\.?(?![a-z]){_COMPLEMENT}"
)
_NO_NAME: Final = re.compile(
    r"\b(?:tem|fica|eh|que|esta|estao|chegou|foi|vai|dia|ate|as|mas|porque|quero|comprei|paguei|tinha|is|has|"
    r"hay|tiene|compre|"
    r"pedido|com|cep|cpf|custa|vem|cabem|passou|passa|por|deu)\b"
)


_URL: Final = re.compile(r"\bhttps?://\S+|\bwww\.\S+")


def keep_links(finds: Finds, labels: Labels) -> None:
    """Numbers in a link name things of a shop, unless the link itself says otherwise."""
    for match in _URL.finditer(finds.folded):
        named = any(match.start() <= label.start < match.end() and label.name != "other" for label in labels.all)
        if not named and "@" not in match[0]:
            finds.reserve(*match.span())


def find_emails(finds: Finds) -> None:
    """E-mail addresses, also spelled out."""
    for pattern, hint in ((_EMAIL, "@"), (_LOOSE_EMAIL, _LOOSE_HINT)):
        if re.search(hint, finds.folded):
            for match in pattern.finditer(finds.folded):
                start = match.start() + len(match[0]) - len(match[0].lstrip(".'-"))
                finds.add(Kind.EMAIL, start, match.end())


def find_secrets(finds: Finds, labels: Labels) -> None:
    """PIX random keys, API keys, passwords and one-time codes."""
    text = finds.folded
    for match in _UUID.finditer(text):
        around = text[max(0, match.start() - 60) : match.start()]
        if re.search(r"\b(?:pix|chave(?! de acesso)|clave|aleatoria|random key|key)\b", around) or re.match(
            r"\W{0,3}(?:(?:essa|esta|este|isso|e|eh|es|is|a|minha|o|meu|mi|la|my|the) )*(?:chave|pix|clave)",
            text[match.end() : match.end() + 20],
        ):
            finds.add(Kind.PIX_KEY, *match.span())
        else:
            finds.reserve(*match.span())  # an id of a machine
    for match in _KEY.finditer(text):
        finds.add(Kind.SECRET, *match.span())
    for match in _KEY_CALLED.finditer(text):
        if any(char.isdigit() for char in match["value"]) and not match["value"].isdigit():
            finds.add(Kind.SECRET, match.start("value"), match.start("value") + len(match["value"].rstrip(".-=/")))
    for match in _PASSWORD.finditer(text):
        value = match["value"].rstrip(".,;:)”\"'*?")
        if _is_password(finds.text[match.start("value") : match.start("value") + len(value)], value, match):
            finds.add(Kind.SECRET, match.start("value"), match.start("value") + len(value))
    _find_codes(finds, labels)


def _is_password(written: str, value: str, match: re.Match[str]) -> bool:
    if len(value) < 3 or value in _NO_PASSWORD:
        return False
    is_word = value.isalpha() or re.fullmatch(r"[a-z]+(?:-[a-z]+)*", value) is not None
    if match["is"]:
        if match["quote"] or not is_word:
            return len(value) >= 3
        if _PARTICIPLE.fullmatch(value) or (len(value) < 4 and written.islower()):
            return False
        # "minha senha é girassol": a word; "a senha é gerada pelo sistema": a sentence.
        return (
            ":" in match["is"]
            or "=" in match["is"]
            or match["rest"].strip() in {"", "e", "y", "and", "me", "pode", "mas"}
        )
    mixed = any(char.isdigit() for char in value) and (any(char.isalpha() for char in value) or len(value) >= 4)
    has_sign = any(not char.isalnum() and char not in "-,./:" for char in value)
    return len(value) >= 4 and (mixed or (has_sign and not value.endswith(("!", "…")))) and not _looks_like_order(value)


def _looks_like_order(value: str) -> bool:
    return re.fullmatch(r"\d{1,2}[/:h]\d{1,2}(?:[/:]\d{2,4})?", value) is not None


def _find_codes(finds: Finds, labels: Labels) -> None:
    text = finds.folded
    for match in (*_CODE.finditer(text), *_CODE_BEFORE.finditer(text)):
        gap = match["gap"] if "gap" in match.groupdict() else ""
        around = text[max(0, match.start() - 50) : match.end() + 40]
        called_otp = match.groupdict().get("word") in {"otp", "token"}
        label = labels.before(match.start("value"))
        if label is not None and label.name not in {"other", "weak_phone", "phone"}:
            continue
        if _OTHER_CODE.search(gap + text[match.end() : match.end() + 12]) is None and (
            called_otp or _ONE_TIME.search(around)
        ):
            finds.add(Kind.SECRET, *match.span("value"))


def find_birth_dates(finds: Finds, labels: Labels) -> None:
    """Dates that the text calls a date of birth."""
    for label in labels.all:
        if label.name == "birth_date":
            match = _DATE.search(finds.folded, label.end, label.end + 55)
            if match and re.fullmatch(r"[^\d\n]{0,30}\n?\W*", finds.folded[label.end : match.start()]):
                finds.add(Kind.BIRTH_DATE, *match.span())


def _is_street(match: re.Match[str]) -> bool:
    """ "rua b 23", but not "rua a 23 metros" and the like: a single letter that is no word, or is set apart."""
    name = match["name"]
    apart = bool(match["sign"]) or "," in match[0][match.end("name") - match.start() :][:2]
    return re.search(r"[a-z]{2}|\d", name) is not None or apart or name not in {"a", "e", "o", "y"}


def find_addresses(finds: Finds) -> None:
    """Street and house number."""
    for match in _ADDRESS.finditer(finds.folded):
        if not _NO_NAME.search(match["name"]) and _is_street(match):
            finds.add(Kind.ADDRESS, *match.span())
    for match in _ENGLISH_ADDRESS.finditer(finds.folded):
        finds.add(Kind.ADDRESS, *match.span())
