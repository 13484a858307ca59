"""Promises: what a reply says that somebody will do. Writing it makes nobody do it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

_DOES: Final = (
    r"avis\w+|retorn\w+|respond\w+|mand[oe]|(?:re)?envi[oe]|ligo|chamo|encaminho|transfiro|passo|confirmo|cancelo|verifico|consulto|checo|confiro|vejo|"
    r"resolvo|agendo|remarco|troco|devolvo|falo com|repasso|providencio|solicito|aciono|providencio|acompanho|dou (?:um )?retorno|"
    r"llamo|contacto|escribo|reviso|veo|cambio|paso|derivo|averiguo|gestiono|mantengo|notifico|comunico|informo|busco|investigo|analiso|reservo|guardo|separo"
)
_FIRST: Final = re.compile(
    r"\b(?:(?:eu |ja |nos |yo |ya |entao |a gente |agora |mesmo |te |lhe |le |lo |la |me )*)"
    r"(?:vou|vamos|irei|iremos|voy a|vamos a|estarei|estaremos|estare|estaremos|i will|i'll|we will|we'll|i am going to|i'm going to|i'm gonna|we are going to|we're going to|"
    r"a gente vai|let me|allow me to|deixa eu|deixe-me|deixa que eu|deja que|dejame|permiteme|permita-me)\b(?P<what>[^.!?\n]{0,60})|"
    r"\b(?:ja|logo|ya|em breve|enseguida|ahora mismo|te|lhe|le|se|los?|las?) (?:ja |te |lhe |le |se |los? |las? |mesmo )*(?P<now>"
    + _DOES
    + r")\b|"
    r"\b(?:a gente|nos|nosotros|we|eles|ellos|they)(?: ja| ya| te| lhe| le| se| lo| la| vos)+ (?P<group>chama\w*|avisa\w*|liga\w*|retorna\w*|responde\w*|manda\w*|envia\w*|fala\w*|"
    r"encaminha\w*|llama\w*|contacta\w*|confirma\w*|resolve\w*|notify|call|contact)\b|"
    r"\b(?P<ing>(?:estou|estamos|estoy|to|i'm|i am|we're|we are) (?:ja |ya |te |lhe |le |just |now |already )*(?!aguardando|esperando|ajudando|aqui|torcendo|falando|having|sorry|looking forward|"
    r"going|getting|trying|tentando|intentando|waiting|glad|happy|here|atendendo|atendiendo|talking|hoping|seeing|passando|tendo|teniendo|vendo aqui)(?:\w+ndo|\w+ing)\b)|"
    r"\b(?P<meanwhile>(?:while|enquanto|mientras) (?:i |eu |yo )?(?:check\w*|pull\w*|look\w*|get|verify|find|"
    + _DOES
    + r"))\b|"
    r"^(?:e |y |entao |logo |depois |em seguida |ai |eu |assim que \w+ )*(?P<bare>" + _DOES + r")\b|"
    r"\b(?P<future>(?:te |lhe |le |lo |la |se |nos )?(?:\w{3,}(?:aremos|eremos|iremos)|\w{3,}(?:arei|erei|irei)))\b|"
    r"\b(?P<vow>pode deixar|deixa comigo|deixe comigo|dejalo en mis manos|dejamelo|leave it (?:to|with) me|i promise|prometo|prometemos|garanto que|te garanto|garantizo|"
    r"i guarantee|we guarantee|rest assured|pode ter certeza|com certeza (?:vai|chega|resolv)|sem falta)\b"
)
_SPANISH: Final = re.compile(r"\b(?:te |le |les |lo |los |la |las |se |nos )*\w{2,}(?:aré|eré|iré)(?!\w)")
_IMPERSONAL: Final = re.compile(r"\bse (?:te |le |les |lo |la )?\w{3,}(?:ará|erá|irá|arán|erán|irán)(?!\w)")
_OURS: Final = re.compile(
    r"\b(?:te|lhe|le|les|se lo|se la|te lo|te la|te los|te las) (?!ajud|ayud|atend|atiend|esper|agradec|escuch|entend|desej|dese|inform|record|lembr|recomend|suger|oferec|ofrec|pedi|ped)\w{3,}(?:amos|emos|imos)\b"
)
_OTHERS: Final = re.compile(
    r"\b(?:equipe|time|equipo|team|atendente|agente|asesor\w*|alguem|alguien|someone|somebody|pessoa|persona|person|tecnico|technician|gerente|manager|"
    r"especialista|specialist|colega|colleague|supervisor\w*|financeiro|setor|departamento|department|representante|representative|consultor\w*|suporte|"
    r"advisor|entregador|motorista|medic[oa]|doutor\w*|doctora?|dr|dra|professor\w*|nos|we|eles|ellos|they|ele|ela|loja|oficina|clinica|responsavel|agent)\b[^.!?\n]{0,40}?\b(?!(?:vai|vao|va a|van a|will) (?:amar|ador\w+|gostar|ficar feliz|encantar|love|be happy))"
    r"(?:vai|vao|ira|irao|va a|van a|will|'ll|is going to|are going to|entrara\w*|retornara\w*|ligara\w*|respondera\w*|resolvera\w*|contactara\w*|llamara\w*|"
    r"comunicara\w*|avisara\w*|enviara\w*|verificara\w*|pondra\w*|revisara\w*|analisara\w*|analizara\w*|dara|daran|cuidara\w*|assumira\w*|ja (?:te |vai |esta )\w+|te (?:liga|chama|responde|retorna|avisa|llama|contacta|escribe)|"
    r"entra em contato|entram em contato|se pone en contacto|se comunica|contacts? you|calls? you|esta (?:a caminho|verificando|analisando|cuidando|vendo|revisando)|"
    r"is (?:on (?:the|their) way|looking into|checking|reviewing))\b|"
    r"\b(?:voce|vc|usted|tu|you)\b[^.!?\n]{0,15}?\b(?:vai receber|recebera|va a recibir|vas a recibir|recibiras?|will (?:receive|get|hear|be)|'ll (?:receive|get|hear|be (?:contacted|notified|refunded)))\b|"
    r"\b(?:recebera|recibiras?|sera|seran|serao|sera)\b[^.!?\n]{0,30}\b(?:\w+ad[oa]s?|\w+id[oa]s?|email|e-mail|mensagem|mensaje|sms|codigo|contato|contacto|feit[oa]s?|entregue)\b|"
    r"\b(?:will be|'ll be|going to be) (?:\w+ed|sent|paid|made|done|back)\b|"
    r"(?<!you )\b(?:will|'ll) (?!not\b|need\b|have to\b|depend|love\b|enjoy\b|do (?:my|our)\b|try\b|be (?:fine|great|lovely|happy|delighted|ok|okay|thrilled)\b|soon find|get used|do great)\w+|"
    r"(?<!que )(?<!voce )(?<!vc )\b(?:vai|vao|va a|van a) (?:te |lhe |le |se |me )?(?!precisar|depender|necesitar|depender|ador|amar|gostar|ficar feliz|dar tudo certo|gustar|encantar|ser (?:um|uma|lindo|otimo|demais)|passar)\w{2,}[aei]r(?:te|le|lo|la)?\b"
)
_HARMLESS: Final = re.compile(
    r".*\b(?:juntos|juntas|together)\b|^\s*(?:(?:te|lhe|le|you|os|a|o|la|lo|adorar|muito|com|prazer|gladly|happily|agora|ja|entao|just|de|be|also|need|to|na|hora|con|gusto|mucho|com|todo|sim) )*"
    r"(?:ajud\w*|ayud\w*|help\w*|assist\w*|precis\w*|necesit\w*|need\w*|ador\w*|love|ser|sou|explic\w*|explain|mostr\w*|show|list\w*|resum\w*|happy|glad|delighted|"
    r"tent\w*|intent\w*|try|do (?:my|our) (?:best|utmost)|me esforcar|nos esforcar|fazer (?:o|todo o) possivel|hacer (?:lo|todo lo) posible|esforzar\w*|paso|por partes|um passo|"
    r"la|ficar (?:feliz|torcendo|aqui|contente)|nessa|nesse|por partes|com calma|comecar|empezar|start|juntos|together|passo a passo|encontrar a melhor|aqui|here|orient\w*|gui\w*|guide|torcer|sentir|ficar feliz|"
    r"esclarec\w*|aclar\w*|clarify|know|atend\w*|deixar (?:aqui|abaixo)|perguntar|preguntar|ask|falar sobre|walk you)\b"
)
_GIVEN: Final = re.compile(
    r"\b(?:assim que (?:voce|vc|me|o senhor|a senhora|tiver)|quando (?:voce|vc|me|puder|quiser|tiver)|depois que voce|se (?:voce|vc|me|quiser|preferir|precisar)|caso|cuando (?:me|tu|puedas|quieras|tengas)|si (?:me|quieres|prefieres|"
    r"gustas)|en cuanto me|una vez que me|once you|as soon as you|when you|if you|com (?:esse|essa|isso|o numero|o cpf|seu cpf|esses dados)|con (?:ese|eso|esa|el numero)|with that)\b"
)


def promises(text: str, lower: str, start: int, end: int) -> Iterator[tuple[int, int, bool]]:
    """Promises in ``text[start:end]``: (start, end, by the assistant itself)."""
    piece = text[start:end]
    for match in _FIRST.finditer(piece):
        if match["what"] is not None and _HARMLESS.match(match["what"]):
            continue
        yield start + match.start(), end, True
        return
    own = _SPANISH.search(lower[start:end]) or _IMPERSONAL.search(lower[start:end]) or _OURS.search(piece)
    other = None if own else _OTHERS.search(piece)
    if own:
        yield start + own.start(), end, True
    elif other:
        yield start + other.start(), end, False


def is_harmless(piece: str) -> bool:
    """Whether ``piece`` promises no more than to try or to help."""
    match = _FIRST.search(piece)
    return match is not None and match["what"] is not None and _HARMLESS.match(match["what"]) is not None


def is_conditional(sentence: str) -> bool:
    """Whether a sentence promises only for the case that the customer does something first."""
    return bool(_GIVEN.search(sentence))
