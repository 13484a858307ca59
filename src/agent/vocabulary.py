"""Word lists behind the normaliser: what people type on a phone, and what they mean by it.

Everyday Brazilian and Spanish chat usage, written down for this project. A form that is itself a word of another
supported language ("to", "end", "so", "media") is left out on purpose, since a message is normalised before its
language is known. English contractions are not spelled out: measured, it does not help.
"""

from __future__ import annotations

from typing import Final

_SHORT: Final = """
você: vc voce vce oce | vocês: vcs voces | o que: oq | que: q | quem: qm | qualquer: qq qqr qlq qlqr
quando: qdo qnd qndo qd | quanto: qto qnto qt | quantos: qtos | quantas: qtas | cadê: cade kd kade
porque: pq pqe porq xq xk | também: tb tbm tbem tambem | não: n nao naum ñ ñao | sim: ss simm | beleza: blz
falou: flw | valeu: vlw vlww | obrigado: obg brigado obgd obrigadu | obrigada: brigada | para: pra p/
para o: pro | para as: pras | para os: pros | por favor: pfv pfvr pfr | mensagem: msg | mensagens: msgs
hoje: hj | amanhã: amanha amnh | agora: agr | depois: dps dpois | todos: tds | tudo: td | muito: mt mto mtu
muita: mta | muitos: mts mtos | mesmo: msm | está: ta tá tah | estava: tava | estou: tô tou | é: eh
aqui: aki aq | comigo: cmg | contigo: ctg | verdade: vdd | fim de semana: fds | nada: nd | ninguém: ngm ninguem
alguém: alguem | com: c/ | sem: s/ | adicionar: add | celular: cel | telefone: tel fone
whatsapp: zap wpp whats zapzap wats | instagram: insta | endereço: endereco | número: nro numero nr
pagamento: pgto pagto pgt pagmto | pedido: pdd pedid | produto: prod | segunda via: 2via 2avia
vamos: vamo bora | faço: faco fasso | preciso: presiso | próprio: propio | quero: qro qero | consigo: consigu
fazer: fzr | quantidade: qtd qtde | reais: rs$ | because: bc cuz | you: u | your: ur | please: pls plz
thanks: thx tks | want to: wanna | going to: gonna | about: abt | dónde: dnd | por favor: xfa xfavor porfa
también: tmb tmbn tambien | gracias: grax
"""
EMOJI_WORDS: Final = {
    "👍": "ok",
    "👌": "ok",
    "✅": "ok",
    "✔": "ok",
    "🙏": "obrigado",
    "❤": "obrigado",
    "👎": "nao",
    "❌": "nao",
    "👋": "oi",
}
"""What a message of nothing but emoji says; inside a sentence they are decoration."""


def _read() -> dict[str, str]:
    forms: dict[str, str] = {}
    for entry in _SHORT.replace("\n", "|").split("|"):
        meaning, _, shorts = entry.partition(":")
        for short in shorts.split():
            forms.setdefault(short, meaning.strip())
    return forms


SHORT_FORMS: Final = _read()
