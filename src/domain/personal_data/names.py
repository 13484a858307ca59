"""Names of people: who is named in a conversation and in records, and other names in their place.

No list knows all names, so they are learned: from the contact, from fields that hold a person's name, and from the ways
in which people introduce and greet each other. What is learned is replaced word by word wherever it stands.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from domain.personal_data.found import folded

FEMININE: Final = (
    "Adriana", "Amanda", "Bianca", "Bruna", "Carolina", "Cecília", "Clara", "Débora", "Elisa", "Fabiana", "Gabriela",
    "Helena", "Isabela", "Joana", "Juliana", "Lívia", "Luana", "Marina", "Natália", "Paula", "Priscila", "Renata",
    "Sabrina", "Sílvia", "Tatiana", "Teresa", "Valéria", "Vanessa", "Verônica", "Yasmin",
)  # fmt: skip
MASCULINE: Final = (
    "André", "Antônio", "Caio", "Cláudio", "Daniel", "Davi", "Diego", "Edson", "Fábio", "Felipe", "Gabriel", "Heitor",
    "Hugo", "Igor", "Ivan", "João", "Jorge", "Leandro", "Leonardo", "Marcelo", "Mateus", "Murilo", "Otávio", "Paulo",
    "Renato", "Ricardo", "Sérgio", "Tiago", "Vinícius", "Wagner",
)  # fmt: skip
SURNAMES: Final = (
    "Almeida", "Andrade", "Araújo", "Azevedo", "Barros", "Batista", "Borges", "Braga", "Campos", "Cardoso", "Castro",
    "Correia", "Dias", "Duarte", "Farias", "Freitas", "Garcia", "Gomes", "Guimarães", "Lacerda", "Macedo", "Machado",
    "Medeiros", "Melo", "Moraes", "Moreira", "Moura", "Neves", "Pacheco", "Peixoto", "Pinto", "Prado", "Ramos", "Reis",
    "Sales", "Siqueira", "Tavares", "Teixeira", "Vargas", "Viana",
)  # fmt: skip

_PERSON_KEYS: Final = re.compile(
    r"^(?:customer|client|cliente|contact|contato|contacto|holder|titular|recipient|destinatario|buyer|comprador|payer|"
    r"pagador|responsible|responsavel|patient|paciente|guest|hospede|owner|person|pessoa|passenger|passageiro|user|"
    r"usuario)(?:_?(?:full_?)?(?:name|nome|nombre))?$|^(?:first|last|full|given|family|social)_?name$|"
    r"^(?:nome|nombre)(?:_?(?:completo|cliente|do_cliente|social))?$|^(?:sobrenome|apellidos?|surname)$|"
    r"^(?:name|nome)_?(?:of_)?(?:customer|client|cliente)$"
)
_PERSON_SIBLINGS: Final = re.compile(
    r"^(?:cpf|rg|email|e_?mail|phone|telefone|telefono|celular|birth_?date|nascimento|address|endereco)$"
)
_WORD: Final = re.compile(r"[^\W\d_]+(?:['’\-][^\W\d_]+)*")
_PARTICLES: Final = frozenset(("da", "de", "do", "das", "dos", "e", "del", "la", "los", "y", "of", "van", "von", "der"))
_NO_NAME: Final = frozenset(
    """
    ainda alguem amiga amigo amor aqui assim atendente atendimento bem bom boa cara cliente clienta com como contato
    customer das deus dia dias doutor doutora dona equipe eu favor galera gente hello hola isso ja loja mae mais me
    meu minha moca moco mulher muito nao noite obrigada obrigado oi ola online pai pessoal pedido por porque prezada
    prezado pra que quem querida querido quero senhor senhora sim so sou sua sr sra suporte tarde there team the tudo
    um uma usuario vendas voce you your assistente virtual bot robo whatsapp zap welcome thanks thank good morning
    afternoon evening everyone guys sir madam buenos buenas dias tardes noches gracias todos equipo tienda cliente
    comprador compradora teste test mesma mesmo nova novo interessada interessado
    """.split()  # noqa: SIM905 - a list would be a page long
)
_ALSO_WORDS: Final = frozenset(
    """
    rosa flor luz mar vitoria esperanca gloria graca lima costa pereira oliveira silva rocha serra campos reis leite
    pinto ramos prado monte branco preto dourado moreno clara linda bela aurora estrela margarida violeta jasmim iris
    angel sol cielo nieves dolores mercedes pilar soledad may june april will mark grace hope faith rose summer brown
    black white green king young hill wood grant rich frank bill pat art drew chase page price case miles jack sue dawn
    marina joia perola safira cruz santos anjo paz vida fonseca barros machado batista franco leal bento salvador justo
    porto
    """.split()  # noqa: SIM905
)
"""Names that are words as well: replaced only where they are written as a name."""
_TITLE: Final = r"[A-ZÀ-ÖØ-Þ][\w'’\-]+"
_FULL: Final = rf"{_TITLE}(?:\s+(?:(?:da|de|do|das|dos|e|del|la)\s+)?{_TITLE}){{0,4}}"
_ANY_CASE: Final = r"[^\W\d_]{3,}(?:\s+(?:(?:da|de|do|das|dos)\s+)?[^\W\d_]{3,})?"
_SAID_TITLE: Final = re.compile(
    r"(?:(?i:\b(?:aqui (?:é|eh|e|quem fala é) (?:a|o)?|(?:eu )?sou(?: a| o)?|quem fala (?:é|eh) (?:a|o)?|"
    r"falo com (?:a|o)?|"
    r"fala (?:a|o)|soy|habla|this is|i am|i'm|speaking with|assinado|att[.,]?|atenciosamente,?|abraços?,?|beijos?,?|"
    r"regards,?|saludos,?|em nome d[aeo]|no nome d[aeo]|a nombre de|in the name of|sra?\.|dona|seu|don|doña|mrs?\.?|"
    r"ms\.?)\s+)|(?i:^\s*(?:oi+|ol[aá]|ei|bom dia|boa tarde|boa noite|hola|buen[oa]s (?:d[ií]as|tardes|noches)|hi|"
    r"hello|hey|dear|prezad[oa]|querid[oa]|estimad[oa])[,!]?\s+(?:(?:a|o|sra?\.?|dona|seu)\s+)?))"
    rf"(?P<name>{_FULL})",
    re.MULTILINE,
)
_SAID_ANY: Final = re.compile(
    r"\b(?:meu nome(?: completo)? (?:é|eh|e)|me chamo|mi nombre(?: completo)? es|me llamo|my(?: full)? name is|"
    r"my name's|"
    rf"nome(?: completo)?\s*:|nombre(?: completo)?\s*:|(?:full )?name\s*:)\s+(?P<name>{_FULL}|{_ANY_CASE})",
    re.IGNORECASE,
)


class PersonNames:
    """Where JSON values hold the names of people."""

    @staticmethod
    def in_json(value: Any) -> Iterator[str]:
        """Fields named after a person, and a bare ``name`` beside what only people have (a CPF, an e-mail …)."""
        match value:
            case Mapping():
                personal = any(_PERSON_SIBLINGS.match(_key(name)) for name in value)
                for name, item in value.items():
                    about = _PERSON_KEYS.match(_key(name)) is not None
                    if isinstance(item, str) and (about or (personal and _key(name) == "name")):
                        yield item
                    elif about and isinstance(item, Mapping):
                        yield from (str(item[one]) for one in item if _key(one) == "name")
                    yield from PersonNames.in_json(item)
            case list() | tuple():
                for item in value:
                    yield from PersonNames.in_json(item)
            case _:
                return


class NameWords:
    """Words of names, and the words in their place. ``choice``: see stand_in_words. ``keep``: names of no person."""

    def __init__(self, choice: Callable[[str, int], int], keep: Iterable[str] = ()) -> None:
        self._choice = choice
        self._keep = {word for text in keep for word in _words(text)}
        self._instead: dict[str, str] = {}
        self._met: set[str] = set()
        self._pattern: re.Pattern[str] | None = None

    @property
    def count(self) -> int:
        """How many words were replaced: of all names that are known most stand in no text."""
        return len(self._met)

    def learn(self, name: str) -> None:
        """Note the words of a person's name. What is no name (an e-mail, "Loja", an emoji) is left alone."""
        if any(char.isdigit() or char == "@" for char in name):
            return
        place = 0
        for word in _words(name):
            if len(word) < 3 or word in _PARTICLES or word in _NO_NAME or word in self._keep:
                continue
            self._note(word, last=place > 0)
            place += 1

    def learn_from_text(self, text: str) -> None:
        """Note those who introduce themselves, are greeted or sign."""
        for pattern in (_SAID_TITLE, _SAID_ANY):
            for match in pattern.finditer(text):
                words = match["name"].split()
                upto = next((n for n, word in enumerate(words) if folded(word).strip("'’-") in _NO_NAME), len(words))
                self.learn(" ".join(words[:upto]))

    def knows(self, word: str) -> bool:
        """Whether the word, as it is written, is one of a learned name."""
        same = folded(word)
        return same in self._instead and not (same in _ALSO_WORDS and word[0].islower())

    def replace(self, text: str) -> str:
        """The text with other names."""
        if not self._instead:
            return text
        if self._pattern is None:
            self._pattern = _WORD
        return self._pattern.sub(self._word, text)

    def _word(self, match: re.Match[str]) -> str:
        word = match[0]
        if not self.knows(word):
            return word
        self._met.add(folded(word))
        instead = self._instead[folded(word)]
        if word.isupper() and len(word) > 1:
            return instead.upper()
        return instead.lower() if word.islower() else instead

    def _note(self, word: str, *, last: bool) -> None:
        if word in self._instead:
            return
        names = SURNAMES if last else FEMININE if word.endswith("a") else MASCULINE
        taken = set(self._instead.values())
        first = self._choice(f"name\0{word}", len(names))
        for step in range(len(names)):
            made = names[(first + step) % len(names)]
            if made not in taken and folded(made) not in self._instead and folded(made) != word:
                break
        self._instead[word] = made


def _words(text: str) -> list[str]:
    return [folded(word) for word in _WORD.findall(text)]


def _key(name: Any) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])|[- ]", "_", str(name)).lower()
