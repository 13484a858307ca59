"""The claim ledger: what a reply claims, and what stands behind each claim.

Rules, no model: the same reply over the same sources has the same ledger. What cannot be explained counts as unsupported,
since a person who looks at it costs less than a customer who was told what is not so.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from agent.claims_lexicon import CLASSES
from agent.claims_match import Around, agree, echoed, find_support, same
from agent.claims_promises import is_conditional, promises
from agent.claims_sources import Index, Path, Sources, labels_of
from agent.claims_text import Folded, Mood, Segment, folded, mood, segment_at, segments
from agent.claims_values import Value, find_values
from agent.claims_words import Mention, alike, mentions, negated, stem, words
from domain.decisions import Claim, Span

__all__ = ["Ledger", "Sources", "check"]

_MOST_CHARACTERS: Final = 4_096


@dataclass(frozen=True, slots=True)
class Ledger:
    """Every claim of a reply in the order of its text."""

    claims: tuple[Claim, ...] = ()

    @property
    def unsupported(self) -> tuple[Span, ...]:
        """What nothing supports, merged where it overlaps."""
        spans: list[Span] = []
        for claim in sorted((c for c in self.claims if c.supported_by is None), key=lambda c: (c.start, -c.end)):
            if spans and claim.start < spans[-1].end:
                spans[-1] = Span(spans[-1].start, max(spans[-1].end, claim.end), spans[-1].kind)
            else:
                spans.append(Span(claim.start, claim.end, claim.kind))
        return tuple(spans)


def check(reply: str, language: str, sources: Sources) -> Ledger:
    """The ledger of ``reply``; positions are those of ``reply``. Under 3 ms for an ordinary reply."""
    return _Check(reply, language, sources).run()


_IDENTIFIERS: Final = frozenset({"code", "phone", "email", "handle", "url", "address"})
_CONDITION: Final = re.compile(
    r"^(?:e |y |and |mas |but |pero )?(?:se|si|if|caso|quando|cuando|when|assim que|once|depois (?:que|de)|after|apos|antes|before|despues|sempre que|whenever|unless|"
    r"para|to|ao|al)\b"
)
_THEN: Final = re.compile(r"^(?:que|assim|asi|so|that way|com isso|dai|ai|y|e|and|para)\b")
_YOU: Final = re.compile(r"\b(?:voce|vc|usted|you|you've|vos)\b(?: ja| ya| already| have| had| nos| me| te| que)*\s*$")
_YOU_SAID: Final = re.compile(
    r"\b(?:voce|vc|usted|you|tu|te|me)\b[^.]{0,20}\b(?:disse|falou|mencion\w*|comentou|inform\w*|pedi\w*|relatou|dijiste|dices|contou|contaste|said|mention\w*|told|asked|wrote|"
    r"escreveu|citou|passou|enviou|mandou)\b|\b(?:conforme|como|segun|according to what) (?:voce|vc|usted|you|tu)\b|\bentendi\w*\b|\bentiendo\b"
)
_LAMENT: Final = re.compile(r"\b(?:sint|lament|sorry|desculp|disculp|perd[ao]|apolog|entend|compreend|comprend|imagin|chato|pena|frustr|transtorno|molest|inconven|understand|obrigad|gracias|thank|agrade|espero|hope)\w*")
_GENERIC_DONE: Final = re.compile(r"\b(?:feit[oa]s?|hech[oa]s?|done|ok|realizad\w+|efetuad\w+|efetivad\w+|conclu\w+|complet\w+|successful\w*|com sucesso|con exito|em andamento|a caminho|na fila|garantid\w+)\b")
_DONE_ALONE: Final = re.compile(r"(?:ja (?:esta|foi) |ya (?:esta|quedo) |it'?s |all |tudo |todo |esta |muito )?(?:pront(?:o|a|inho)|feit(?:o|inho)|resolvido|resuelto|listo|hecho|done|all set|sorted|fixed|taken care of)(?: (?:ja|aqui|pra voce|para voce|entao|then|now|for you))?")
_SPECIFIC: Final = re.compile(r"\b(?:seus?|suas?|tus?|sus?|your|meus?|minhas?|ele|ela|dele|dela|it|its|esse|essa|este|esta compra|o pedido|el pedido|the order|a compra)\b")
_AUXILIARY: Final = re.compile(r"\b(?:foi|foram|fui|fue|fueron|was|were|been|esta|estao|estan|is|are|ja|ya|already|ficou|quedo|quedaron|consta|aparece|has|have|acabou|acaba|got|ha sido|han sido|he|hemos|i've|we've|ser[ai]\w*|saiu|se)\b")
_WE_DID: Final = re.compile(r"(?:amos|emos|imos)$")
_FRAGMENT: Final = re.compile(r"^(?:e|y|and|ou|o|or) (?:o|a|os|as|do|da|el|la|the|seu|sua|tu|your|qual|de)\b[^é]{0,30}$")
_WE: Final = re.compile(r"\b(?:temos|tenemos|fazemos|hacemos|trabalhamos|trabajamos|damos|usamos|utilizamos|possuimos|dispomos|disponemos|contamos|ficamos (?:em|n[ao])|estamos (?:em|n[ao]|localiz\w+|ubicad\w+|abert\w+|abiert\w+|fechad\w+|cerrad\w+)|we (?:have|do|are|offer|use|make|carry|ship|run)|we've|we're|tem|tiene|hay|existe\w*|it (?:has|comes)|there (?:is|are))\b")
_COPULA: Final = re.compile(r"\b(?:é|sao|esta|estao|foi|foram|fica|ficam|ficou|tem|vem|vai|pode|podem|da|deve|precisa|custa|vale|sai|es|son|fue|queda|tiene|viene|puede|debe|is|are|was|were|has|have|can|comes|goes|must|costs?|'s|inclui|dura|consta|aparece|continua|sigue|remains|segue|esta[vb]a)\b")
_YES: Final = re.compile(r"^(?:sim|si|yes|yep|claro que sim|claro que si|com certeza|isso mesmo|exatamente|correto|correcto|correct|exactly|of course|por supuesto|isso|positivo|negativo|nao|no|nope|infelizmente nao|lamentablemente no|unfortunately not)(?: senhora?| temos| tem| pode| da| tenemos| puedes| puede| we do| you can| it is| it does| claro| sim)?$")
_PRESENCE: Final = re.compile(r"\b(?:alguem|alguien|anyone|somebody|there|robo|bot|tudo bem|td bem|como vai|que tal|how are you|posso (?:perguntar|falar|tirar)|pode me ajudar|me ajuda|puedes ayudar\w*|can you help|help me|virtual|humano|ai\?)\b")
_HUMAN: Final = re.compile(r"\b(?:sou|soy|i am|i'm) (?:um |uma |un |una |an? )?(?:human\w*|pessoa|persona|person|atendente|operador\w*|real)\b")
_BENEFITS: Final = frozenset({"free", "discount", "cashback", "waive"})
_MONEYED: Final = frozenset({"charge", "fee", "freight", "pay", "price", "interest", "fine", "deposit", "tax"})
_STOP: Final = frozenset(
    ["para", "pelo", "pela", "pelos", "pelas", "com", "sem", "sobre", "entre", "mais", "muito", "muita", "muitos", "muitas", "tambem", "ainda", "agora", "aqui", "isso", "essa", "esse", "este", "esta", "estas", "estes", "aquele", "aquela", "ela", "ele", "eles", "elas", "voce", "voces", "nosso", "nossa", "nossos", "nossas", "seus", "suas", "minha", "meus", "minhas", "como", "quando", "onde", "qual", "quais", "porque", "pois", "entao", "assim", "apenas", "somente", "todo", "toda", "todos", "todas", "cada", "mesmo", "mesma", "outro", "outra", "outros", "outras", "algum", "alguma", "alguns", "algumas", "nenhum", "nenhuma", "nada", "tudo", "bem", "bom", "boa", "certo", "certa", "claro", "sim", "nao", "conforme", "cerca", "aproximadamente", "aproximado", "geral", "sempre", "nunca", "depois", "antes", "durante", "desde", "partir", "logo", "hoje", "amanha", "ontem", "dentro", "fora", "acima", "abaixo", "segue", "seguinte", "seguintes", "forma", "tipo", "vez", "vezes", "favor", "gente", "ser", "estar", "ter", "fazer", "dar", "ficar", "esta", "estao", "estava", "sera", "foram", "fica", "ficam", "ficou", "fazem", "fazer", "tem", "temos", "deve", "devem", "pode", "podem", "posso", "podemos", "quer", "precisar", "caso", "segundo", "junto", "tanto", "quanto", "menos", "pouco", "pra", "pras", "pros", "pero", "tambien", "aqui", "ahora", "este", "esta", "estos", "estas", "nuestro", "nuestra", "nuestros", "nuestras", "suyo", "cuando", "donde", "cual", "porque", "entonces", "asi", "solo", "solamente", "todos", "todas", "cada", "mismo", "misma", "otro", "otra", "algun", "alguna", "nada", "todo", "bien", "bueno", "buena", "cierto", "claro", "segun", "siempre", "despues", "antes", "durante", "desde", "hasta", "luego", "dentro", "fuera", "arriba", "abajo", "siguiente", "forma", "hacer", "tener", "puede", "pueden", "puedes", "usted", "ustedes", "tienes", "tiene", "tienen", "estan", "muy", "mucho", "mucha", "unos", "unas", "the", "this", "that", "these", "those", "with", "without", "about", "from", "your", "yours", "our", "ours", "their", "they", "them", "there", "here", "have", "has", "had", "will", "would", "can", "could", "should", "been", "being", "were", "was", "are", "also", "just", "only", "very", "much", "more", "most", "some", "any", "each", "other", "another", "same", "such", "then", "than", "when", "where", "which", "what", "while", "into", "onto", "over", "under", "after", "before", "during", "until", "within", "through", "because", "therefore", "however", "please", "well", "good", "great", "sure", "right", "still", "already", "yet", "back", "need", "needs", "want", "like", "make", "makes", "take", "takes", "get", "gets", "let", "lets", "know", "case", "way", "kind", "sort", "bit", "lot", "both", "either", "neither", "per", "via", "ate", "das", "dos", "nas", "nos", "uma", "umas", "uns", "sao", "seu", "sua", "teu", "tua", "num", "numa", "ok", "show", "otimo", "otima", "perfeito", "perfeita", "legal", "beleza", "combinado", "maravilha", "perfect", "perfecto", "genial", "vale", "listo", "pronto", "prontinho", "aviso", "lembrando", "lembre", "detalhes", "informacoes", "situacao", "atual", "atualmente", "momento", "normalmente", "geralmente", "basta", "preciso", "precisa", "sendo", "visto", "vista", "olha", "veja", "viu", "aproveita", "aproveite", "qualquer", "opcao", "opcoes", "opciones", "options", "option", "melhor", "mejor", "best"]
)
_KNOWN_NAMES: Final = frozenset(["whatsapp", "instagram", "facebook", "google", "brasil", "brazil", "deus", "cpf", "cnpj", "cep", "nfe", "sac", "pdf", "sms", "url", "faq", "iphone", "android", "email", "gmail", "senhor", "senhora", "natal"])


@dataclass(slots=True)
class _Check:
    reply: str
    language: str
    sources: Sources
    read: Folded = field(init=False)
    index: Index = field(init=False)
    values: list[Value] = field(init=False)
    parts: list[Segment] = field(init=False)
    moods: list[Mood] = field(init=False)
    named: list[list[Mention]] = field(init=False)
    denied: list[tuple[int, int]] = field(init=False)
    claims: list[Claim] = field(default_factory=list, init=False)
    anchored: set[int] = field(default_factory=set, init=False)
    paths: dict[int, list[tuple[Value | Mention, tuple[Path, ...]]]] = field(default_factory=dict, init=False)

    def run(self) -> Ledger:
        self.read = folded(self.reply[:_MOST_CHARACTERS])
        text = self.read.text
        self.index = Index(self.sources, self.language).fill()
        self.values = find_values(self.read, self.language, self.index.today)
        inside = {place for value in self.values for place in range(value.start, value.end)}
        self.parts = segments(text, inside.__contains__)
        self.moods = [mood(text, part) for part in self.parts]
        self.denied = negated(text)
        every = mentions(text, self.read.lower)
        self.named = [[m for m in every if part.start <= m.start < part.end and m.start not in inside] for part in self.parts]
        for value in self.values:
            self._value(value)
        for place in range(len(self.parts)):
            if not self._promise(place):
                self._statement(place)
        self._answer_alone()
        self._mixed_up()
        self._foreign_names(inside)
        if len(self.reply) > _MOST_CHARACTERS:
            self.claims.append(Claim(_MOST_CHARACTERS, len(self.reply), "unread", self.reply[_MOST_CHARACTERS:][:80]))
        return Ledger(tuple(sorted(self.claims, key=lambda claim: claim.start)))

    def _claim(self, start: int, end: int, kind: str, supported_by: str | None) -> None:
        while end > start and self.read.text[end - 1] in " ,.;:!?\n":
            end -= 1
        if start < end:
            begin, stop = self.read.source(start, end)
            self.claims.append(Claim(begin, stop, kind, self.reply[begin:stop], supported_by))

    def _piece(self, place: int) -> str:
        return self.read.text[self.parts[place].start : self.parts[place].end]

    def _sentence(self, place: int) -> list[int]:
        number = self.parts[place].sentence
        return [other for other, part in enumerate(self.parts) if part.sentence == number]

    # Values

    def _value(self, value: Value) -> None:
        place = segment_at(self.parts, value.start)
        feeling, piece = self.moods[place], self._piece(place)
        day = value.kind in {"date", "weekday", "time", "month"}
        if day and (feeling == "social" or self._is_small_talk(place)):
            return
        part = self.parts[place]
        around = Around(
            frozenset(m.concept for m in self.named[place]),
            labels_of(self.read.text, self.values, part.start, part.end, value),
            any(start <= value.start < end for start, end in self.denied) or feeling == "inability",
        )
        found = find_support(value, self.index, around, also=[*self.index.echo, *self.values])
        if found is not None:
            self._claim(value.start, value.end, value.kind, found[0])
            self.anchored.add(place)
            self.paths.setdefault(self.parts[place].sentence, []).append((value, found[1]))
            return
        if self._agrees_with_neighbour(value):
            self._claim(value.start, value.end, value.kind, "calendar")
            return
        if echoed(value, self.index):
            denied = any(m.negative for m in self.named[place]) or re.search(r"\b(?:nao|no|not|\w+n't|sem|sin)\b", piece)
            said = _YOU_SAID.search(" ".join(self._piece(other) for other in self._sentence(place)))
            if value.kind in _IDENTIFIERS or feeling != "statement" or denied or said or (value.kind == "number" and value.norm >= 100_000):
                self._claim(value.start, value.end, value.kind, "customer")
                return
        if value.kind == "date" and value.norm == (self.index.today.year, self.index.today.month, self.index.today.day) and feeling != "statement":
            return
        self._claim(value.start, value.end, value.kind, None)

    def _is_small_talk(self, place: int) -> bool:
        """A goodbye until tomorrow, a wish for the weekend: no statement, and nothing of the business beside it."""
        piece = self._piece(place)
        return bool(re.match(r"(?:ate|hasta|see you|nos vemos|te (?:vejo|espero)|te esperamos)\b", piece)) and not re.search(r"\d", piece)

    def _agrees_with_neighbour(self, value: Value) -> bool:
        """A weekday beside the date that it names, where that date stands on its own feet."""
        if value.kind != "weekday":
            return False
        return any(other.kind == "date" and other is not value and abs(other.start - value.start) < 24 and same(value, other) and echoed(other, self.index) for other in self.values)

    # Promises

    def _promise(self, place: int) -> bool:
        part, feeling = self.parts[place], self.moods[place]
        if feeling in {"inability", "offer"} or (feeling == "question" and part.last):
            return False
        for start, end, own in promises(self.read.text, self.read.lower, part.start, part.end):
            around = self._sentence(place)
            sentence = " ".join(self._piece(other) for other in around)
            before = [self.moods[other] for other in around if other <= place]
            previous = [self.moods[other] for other in range(place) if self.parts[other].sentence == part.sentence - 1]
            asked = own and _THEN.match(self._piece(place)) and {"request", "question"} & set(previous)
            if "request" in before or "offer" in before or is_conditional(sentence) or asked or (own and "request" in previous[-1:]):
                return True
            self._claim(start, end, "promise", self._kept(place, own=own))
            return True
        return False

    def _kept(self, place: int, *, own: bool) -> str | None:
        """What makes a promise true: a call that waits for a person, or a source that says so of the business."""
        named = [m for m in self.named[place] if CLASSES[m.concept] == "state"]
        concepts = {m.concept for m in named}
        if self.index.asked and concepts <= {"confirm", "verify", "contact", "notify", "update", "talk", "receive", "serve", "approve", "finish"}:
            return "awaiting_approval"
        if not concepts:
            return None
        told = [self._behind(m, strict=own, call=own) for m in named]
        return told[0] if all(told) else None

    # Statements

    def _behind(self, wanted: Mention, *, strict: bool = False, call: bool = False) -> str | None:
        """The source that says what ``wanted`` says. ``strict``: as done, not only by name; ``call``: only a call's result."""
        concepts, opposite = alike(wanted.concept), None
        for said in self.index.said:
            if said.mention.concept not in concepts or (call and said.path[0] == "text"):
                continue
            if strict and (said.weak or (said.mention.form == "name" and said.path[0] != "text")):
                continue
            if said.mention.negative == wanted.negative:
                return said.ref
            opposite = opposite or said.ref
        if wanted.negative and opposite is None and wanted.form == "done" and self.index.looked and self.index.answered:
            return self.index.answered
        return self._free(wanted)

    def _free(self, wanted: Mention) -> str | None:
        """Not charged is free, and free is not charged."""
        if wanted.concept in _BENEFITS and not wanted.negative:
            zero = next((k.ref for k in self.index.known if k.value.norm == 0 and k.value.kind in {"money", "number"}), None)
            return zero or next((s.ref for s in self.index.said if s.mention.concept in _MONEYED and s.mention.negative), None)
        if wanted.concept in _MONEYED and wanted.negative:
            return next((s.ref for s in self.index.said if s.mention.concept in _BENEFITS and not s.mention.negative), None) or next(
                (k.ref for k in self.index.known if k.value.norm == 0 and k.value.kind in {"money", "number"}), None
            )
        return None

    def _statement(self, place: int) -> None:
        part, feeling, piece = self.parts[place], self.moods[place], self._piece(place)
        named = [m for m in self.named[place] if CLASSES[m.concept] != "topic"]
        if feeling == "social" and _HUMAN.search(piece):
            self._claim(part.start, part.end, "fact", None)
        if _DONE_ALONE.fullmatch(piece) and feeling == "statement":
            self._claim(part.start, part.end, "action", self.index.acted or self.index.answered)
            return
        conditional = bool(_CONDITION.match(piece))
        before = [self.moods[other] for other in self._sentence(place) if other < place]
        if "request" in before and _THEN.match(piece) and not any(m.form == "done" for m in named):
            return
        if feeling == "statement" and _YOU_SAID.search(" ".join(self._piece(other) for other in self._sentence(place) if other <= place)):
            named = [m for m in named if m.concept not in self.index.echo_concepts]
        if feeling in {"request", "question", "inability"} and not (feeling == "question" and not part.last):
            return
        if feeling == "social" and _LAMENT.search(piece):
            return
        if feeling in {"offer", "social", "question"} or conditional:
            named = [m for m in named if m.form == "done" and (m.first or _AUXILIARY.search(piece)) and not conditional] + [
                m for m in named if m.concept in _BENEFITS and feeling == "offer"
            ]
        self._check_named(place, named)
        if feeling == "statement" and not conditional:
            self._check_rest(place, bool(named))

    def _check_named(self, place: int, named: Iterable[Mention]) -> None:
        part, piece = self.parts[place], self._piece(place)
        named = list(named)
        finished = _GENERIC_DONE.search(piece) or next((True for m in named if m.concept == "finish" and m.form == "done"), None)
        for wanted in named:
            if wanted.form == "name" and CLASSES[wanted.concept] == "state" and not finished:
                continue
            if wanted.concept == "finish" and any(m.form == "name" and CLASSES[m.concept] == "state" for m in named):
                continue
            before = self.read.text[part.start : wanted.start]
            if _YOU.search(before) and wanted.concept in self.index.echo_concepts:
                continue
            first = wanted.first or (_WE_DID.search(self.read.text[wanted.start : wanted.end]) is not None and bool(_SPECIFIC.search(piece) or re.search(r"\b(?:ja|ya|acabamos)\b", piece)))
            done = first or wanted.form == "done" or (finished is not None and wanted.form == "name")
            state = CLASSES[wanted.concept] == "state"
            particular = first or bool(_SPECIFIC.search(piece)) or any(v.kind in _IDENTIFIERS for v in self.values if part.start <= v.start < part.end)
            call = done and state and particular and (first or bool(_AUXILIARY.search(piece)) or finished is not None)
            if wanted.first and wanted.concept in {"verify", "find", "receive", "note"}:
                ref = self.index.answered if wanted.concept != "note" else self.index.acted
            else:
                ref = self._behind(wanted, strict=done and state, call=call)
            kind = "action" if wanted.first else "status" if state else "fact"
            if ref is None:
                self._claim(part.start, part.end, kind, None)
                return
            self._claim(wanted.start, wanted.end, kind, ref)
            self.anchored.add(place)
            self._remember(place, wanted, strict=done and state)

    def _remember(self, place: int, wanted: Mention, *, strict: bool) -> None:
        if not strict:
            return
        concepts = alike(wanted.concept)
        paths = tuple(s.path for s in self.index.said if s.mention.concept in concepts and not s.weak and s.mention.negative == wanted.negative)
        self.paths.setdefault(self.parts[place].sentence, []).append((wanted, paths))

    def _check_rest(self, place: int, named: bool) -> None:
        """A statement about business of which nothing at all is known."""
        part, piece = self.parts[place], self._piece(place)
        if any(claim.supported_by is None for claim in self._claims_in(part)):
            return
        content = [m[0] for m in words(piece) if len(m[0]) > 3 and m[0] not in _STOP and not any(v.start <= part.start + m.start() < v.end for v in self.values)]
        known = [word for word in content if stem(word) in self.index.stems]
        if known:
            self.anchored.add(place)
        around = self._sentence(place)
        if place in self.anchored or any(other in self.anchored for other in around):
            return
        topics = [m for m in self.named[place] if CLASSES[m.concept] == "topic"]
        says = _WE.search(piece) or (topics and _COPULA.search(piece) and not _FRAGMENT.match(piece))
        if says and (content or topics) and not (topics and not content and len(piece) < 12):
            self._claim(part.start, part.end, "fact", None)

    def _claims_in(self, part: Segment) -> list[Claim]:
        start, end = self.read.source(part.start, part.end)
        return [claim for claim in self.claims if start <= claim.start < end]

    def _answer_alone(self) -> None:
        """A bare yes or no to a question about the business."""
        asked = "\n".join(self.sources.customer).lower()
        if "?" not in asked or self.index.answered or _PRESENCE.search(folded(asked).text):
            return
        for place, part in enumerate(self.parts):
            if _YES.match(self._piece(place)) and self.moods[place] == "statement" and place == 0:
                following = self.moods[1:]
                if "request" not in following and not any(f in {"offer"} for f in following):
                    self._claim(part.start, part.end, "fact", None)

    def _mixed_up(self) -> None:
        """Values of one sentence that a result gives for different things."""
        for sentence, found in self.paths.items():
            parts = [part for part in self.parts if part.sentence == sentence]
            for one, paths in found:
                same_part = segment_at(parts, one.start)
                for other, others in found:
                    if other is one or segment_at(parts, other.start) != same_part or other.start > one.start:
                        continue
                    if not agree(paths, others):
                        self._claim(one.start, one.end, "mixed_up", None)
            self._crossed(found)

    def _crossed(self, found: list[tuple[Value | Mention, tuple[Path, ...]]]) -> None:
        """A name alone, and behind it what a result gives only under another name of the same kind."""
        runs: list[tuple[list[Value], tuple[Path, ...]]] = []
        for one, paths in sorted(found, key=lambda pair: pair[0].start):
            if not isinstance(one, Value) or not any(len(path) > 1 for path in paths):
                continue
            if runs and agree(paths, runs[-1][1]):
                runs[-1][0].append(one)
                runs[-1] = (runs[-1][0], tuple(path for path in paths if path in runs[-1][1]) or runs[-1][1])
            else:
                runs.append(([one], paths))
        for (before, _), (after, paths) in pairwise(runs):
            if len(before) > 1 or any(value.kind == before[0].kind for value in after):
                continue
            if any(known.value.kind == before[0].kind and agree((known.path,), paths) for known in self.index.known if len(known.path) > 1):
                for value in after:
                    self._claim(value.start, value.end, "mixed_up", None)

    def _foreign_names(self, inside: set[int]) -> None:
        """Names that nobody in the turn has mentioned."""
        known = set(self.index.stems) | self.index.echo_stems
        for name in self.sources.names:
            known |= {stem(m[0]) for m in words(folded(name).text)}
        for match in re.finditer(r"(?<=[\w,:;)] )[A-ZÀ-Ý][\wÀ-ÿ]{2,}", self.read.capital):
            start, end = match.span()
            word = self.read.text[start:end]
            if start in inside or stem(word) in known or word in _STOP or word in _KNOWN_NAMES:
                continue
            if match[0].isupper() or mentions(word):
                continue
            place = segment_at(self.parts, start)
            if start == self.parts[place].start or self.moods[place] == "social":
                continue
            self._claim(start, end, "name", None)
