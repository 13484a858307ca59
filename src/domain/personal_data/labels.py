"""Words that say what a number is: "meu CPF é …", "pedido …". The nearest one before a number counts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_WORDS: Final[dict[str, str]] = {
    "cpf": r"c\.?p\.?f\.?(?: na nota(?: fiscal)?)?(?![a-z])|cpfs|cadastro de pessoa fisica",
    "cnpj": r"cnpj(?: na nota(?: fiscal)?)?(?![a-z])",
    "rg": r"r\.?g\.?(?![a-z])|(?:carteira de )?identidade|registro geral",
    "national_id": (
        r"d\.?n\.?i\.?(?![a-z])|n\.?i\.?[ef]\.?(?![a-z])|cui[tl]|rut|curp|rfc|ssn|social security(?: number)?|"
        r"passaporte|pasaporte|passport|cedula|cnh|titulo de eleitor|national id|id number"
    ),
    "card": (
        r"cartao(?! (?:sus|postal|de visita|de ponto|presente|fidelidade))|cartoes|tarjetas?(?! de regalo)|"
        r"(?<!gift )cards?(?! of)|visa|master ?card|amex|hipercard"
    ),
    "card_code": r"cvv2?|cvc2?|cvn|codigo de seguranca|cod\.? de seguranca|codigo de seguridad|security code",
    "phone": (
        r"tel\.?|tels\.?|telefones?|fones?|cel\.?|celular(?:es)?|celu|zap|zapzap|whats|whatsapp|wpp|wats|watsapp|"
        r"telefonos?|movil|phones?|mobile|cell|meu numero(?! d[aeo])|mi numero(?! de )|my number(?:'s)?(?! of)"
    ),
    "weak_phone": (
        r"contatos?|contacto|contact|lig(?:a|ar|ue|uem|uei|aram)|llam(?:a|ar|ame|en|e)|call|"
        r"numero(?! d[aeo]s? (?:conta|cuenta|cartao|pedido))|number|text me"
    ),
    "postal_code": r"cep|codigo postal|cod\.? postal|c\.p\.|cp|zip(?: ?code)?|postcode|postal code",
    "birth_date": (
        r"nasci(?:da|do|mento)?|nasceu|nasc\.?|dn|d\.n\.|naci(?:da|do|miento)?|nac\.|aniversario|cumpleanos|"
        r"born|birth(?:day|date)?|dob|d\.o\.b\.?"
    ),
    "bank_account": (
        r"clabe|cbu|cvu|iban|"
        r"c/c|cc|conta[- ]corrente|conta[- ]poupanca|(?:numero|n[o.]?) da conta|conta|poupanca|(?:numero|"
        r"n[o.]?) de cuenta|cuenta(?: corriente)?|"
        r"(?:bank |checking |savings )?account(?: number)?"
    ),
    "pix": r"chave(?: pix)?(?: aleatoria)?|pix|clave pix|pix key|clave aleatoria",
    "other": (
        r"pedidos?|compras?|encomendas?|protocolos?|prot\.|rastreio|rastreamento|rastrear|rastreador|nf-?e?|"
        r"nota(?: fiscal)?|boletos?|linha digitavel|sku|ean|gtin|isbn|codigo de barras|barras|ref\.?|"
        r"referencia|produtos?|itens|item|lote|"
        r"serie|serial|imei|iccid|ordem|orders?|tracking|guia|facturas?|faturas?|invoice|tickets?|chamados?|"
        r"contratos?|"
        r"contract|matricula|inscricao|orcamento|orden|chassi|renavam|placas?|nsu|autorizacao|transacao|transaccion|"
        r"transaction|comprovante|atendimento|cupom|cupon|coupon|voucher|modelo|model|seguimiento|envio|shipment|"
        r"remessa|recibo|receipt|caso|case|processo|reserva|booking|vale|kg|os|ns|n\.s\.|chave de acesso|"
        r"chave da (?:nota|nf-?e?)|codigos?|cod\.?|code|barcode|sn|id|apolice|po|part number|peca|agencia|ag\.?|"
        r"branch|"
        r"cartao (?:sus|presente|fidelidade)|gift card|tarjeta de regalo|presupuesto|reclamacao|reclamo|claim"
    ),
}
_LABEL: Final = re.compile(
    r"(?<![a-z])(?:" + "|".join(f"(?P<{name}>{words})" for name, words in _WORDS.items()) + r")(?![a-z])"
)
_CONNECTORS: Final = re.compile(
    r"(?:[\s:=#\-–>(*.,\"'`_]|(?<![a-z])(?:e|eh|esta|era|o|a|os|as|n|no|nr|nro|num|numero|number|do|da|de|del|"
    r"dos|das|el|la|es|is|"
    r"the|my|meu|minha|mi|of|for|seguinte|esse|este|aqui|segue|aki|vai|ai|sao|son|are|was|titular|cliente|fiscal|"
    r"compra|atendimento|it|anterior|antigo|novo|nova|final)(?![a-z]))*"
)
_LONGEST_GAP: Final = 40
_SHORT_GAP: Final = 9
_AFTER: Final = re.compile(
    r"[\s,)]*(?:(?:e|eh|is|es|era|esse|este|that|isso)\s+)*(?:(?:o|a|meu|minha|el|la|mi|my|the|the)\s+)*"
    r"(?:(?:n[o.]?|numero|codigo|number|code)\s+(?:(?:do|da|de|del|of|the|my|meu|mi|minha)\s+)*)?"
)
_AND: Final = re.compile(r"\s*(?:,|e|y|and|ou|o|or|/|;|\+)?\s*")


@dataclass(frozen=True, slots=True)
class Label:
    """A word that names a kind of number; ``other`` is everything that is not personal."""

    name: str
    start: int
    end: int


class Labels:
    """All labels of one text."""

    def __init__(self, folded: str) -> None:
        self._text = folded
        self.all = [Label(match.lastgroup or "", *match.span()) for match in _LABEL.finditer(folded)]

    def before(self, place: int) -> Label | None:
        """The nearest label before a number that may well speak of it."""
        nearest = None
        for label in self.all:
            if label.end > place:
                break
            nearest = label
        if nearest is None or place - nearest.end > _LONGEST_GAP:
            return None
        gap = self._text[nearest.end : place]
        if "\n\n" in gap or any(char.isdigit() for char in gap):
            return None
        return nearest

    def names(self, place: int, end: int, *kinds: str) -> bool:
        """Whether the number at ``place`` is called one of ``kinds``, by a word before it or right after it."""
        label = self.before(place)
        if label is not None and label.name in kinds:
            return True
        after = self._right_after(end)
        return after is not None and after.name in kinds and (label is None or not self._is_tied(label, place))

    def calls_it_something_else(self, place: int, end: int) -> bool:
        """Whether the text calls the number an order, a protocol, a code … and not a thing of a person."""
        label = self.before(place)
        if label is not None and self._is_tied(label, place):
            return label.name == "other"
        after = self._right_after(end)
        if after is not None:
            return after.name == "other"
        return self._goes_on_a_list(place)

    def _is_tied(self, label: Label, place: int) -> bool:
        gap = self._text[label.end : place]
        return len(gap) <= _SHORT_GAP or _CONNECTORS.fullmatch(gap) is not None

    def _right_after(self, end: int) -> Label | None:
        match = _AFTER.match(self._text, end)
        start = match.end() if match else end
        # "12345678909 pedido 55" speaks of the next number: only what follows "é o número do" counts, or a bare end.
        for label in self.all:
            if label.start == start and (start - end > 2 or not self._digits_follow(label.end)):
                return label
        return None

    def _digits_follow(self, end: int) -> bool:
        return re.match(r"[^\w\n]{0,3}(?:e|eh|is|es|:)?\s?\d", self._text[end : end + 10]) is not None

    def _goes_on_a_list(self, place: int) -> bool:
        """ "pedidos 123 e 456": the second number is what the first one is."""
        earlier = re.search(r"(\d[\d.\-/]*)(\D{1,6})$", self._text[max(0, place - 40) : place])
        if earlier is None or not _AND.fullmatch(earlier[2]):
            return False
        start = place - len(earlier[0])
        label = self.before(start)
        return label is not None and label.name == "other" and self._is_tied(label, start)
