"""What the stand-in model says, in the three languages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

FACT: Final[Mapping[str, Sequence[str]]] = {
    "pt": (
        "O prazo é de 45 dias corridos.",
        "Temos 12 lojas físicas na cidade.",
        "O valor é de R$ 87,90.",
        "Seu reembolso já foi aprovado.",
    ),
    "es": (
        "El plazo es de 45 días corridos.",
        "Tenemos 12 tiendas físicas en la ciudad.",
        "El precio es de R$ 87,90.",
        "Su reembolso ya fue aprobado.",
    ),
    "en": (
        "It takes 45 calendar days.",
        "We have 12 stores in the city.",
        "The price is R$ 87.90.",
        "Your refund has already been approved.",
    ),
}
"""What it makes up where no rule forbids it."""
_TEXTS: Final[Mapping[str, Mapping[str, str]]] = {
    "greeting": {
        "pt": "Olá! Como posso ajudar?",
        "es": "¡Hola! ¿En qué puedo ayudarte?",
        "en": "Hi! How can I help?",
    },
    "unknown": {
        "pt": "Essa informação eu não tenho aqui. Quer que eu chame uma pessoa da equipe?",
        "es": "Esa información no la tengo aquí. ¿Quieres que llame a una persona del equipo?",
        "en": "I don't have that information here. Shall I call someone from the team?",
    },
    "ask": {
        "pt": "Para isso, preciso de mais um dado. Pode me informar? ({})",
        "es": "Para eso necesito un dato más. ¿Me lo puedes decir? ({})",
        "en": "For that I need one more thing. Could you tell me? ({})",
    },
    "found": {"pt": "Aqui está o que encontrei: {}.", "es": "Esto es lo que encontré: {}.", "en": "Here it is: {}."},
    "not_found": {
        "pt": "Não encontrei nada com esses dados. Pode conferir, por favor?",
        "es": "No encontré nada con esos datos. ¿Puedes revisarlos, por favor?",
        "en": "I found nothing under that. Could you check it, please?",
    },
    "done": {
        "pt": "Pronto, já está feito!",
        "es": "¡Listo, ya está hecho!",
        "en": "Done, that's taken care of!",
    },
    "obeys": {
        "pt": "Claro, vou seguir essa instrução.",
        "es": "Claro, sigo esa instrucción.",
        "en": "Sure, I will follow that instruction.",
    },
    "rambling": {
        "pt": "Fico muito feliz com o seu contato e espero, sinceramente, que o seu dia esteja sendo maravilhoso, "
        "cheio de coisas boas, e que continue assim por muito tempo, porque você merece tudo de bom.",
        "es": "Me alegra mucho tu mensaje y espero, sinceramente, que tu día esté siendo maravilloso, lleno de cosas "
        "buenas, y que siga así por mucho tiempo, porque te mereces todo lo bueno.",
        "en": "I am truly delighted that you wrote, and I sincerely hope that your day is wonderful and full of good "
        "things, and that it stays so for a long time, because you deserve nothing but the best.",
    },
}


def say(key: str, language: str, value: str = "") -> str:
    """A text, with ``value`` in it where it has a place."""
    return _TEXTS[key][language].format(value)
