"""What a model's server answered, read so that it can be kept: behind its address may stand anything at all."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any, Final

from agent.normalise import visible
from domain.text import storable, storable_json

_LONGEST_NAME: Final = 200
_MOST_TOKENS: Final = 10**9
"""No answer uses so many; a server that counts more must not make the turn's row unwritable."""


def choice_in(completion: Any) -> dict[str, Any] | None:
    """The first choice with a message; an HTML page, for one, arrives here as a text."""
    choices = completion.get("choices") if isinstance(completion, dict) else None
    choice = choices[0] if isinstance(choices, list) and choices else None
    return choice if isinstance(choice, dict) and isinstance(choice.get("message"), dict) else None


def text_in(message: dict[str, Any]) -> str:
    """What the model says; empty where a person would see nothing of it."""
    content = message.get("content")
    text = storable(content)[0].strip() if isinstance(content, str) else ""
    return text if visible(text).strip() else ""


def calls_in(message: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Id, name and raw arguments of each call; what is no call at all is left out."""
    found = message.get("tool_calls")
    for index, call in enumerate(found if isinstance(found, list) else ()):
        function = call.get("function") if isinstance(call, dict) else None
        if not isinstance(function, dict) or call.get("type", "function") != "function":
            continue
        arguments = function.get("arguments")
        # Some servers write the arguments as the object that they stand for.
        text = arguments if isinstance(arguments, str) else json.dumps(storable_json(arguments)) if arguments else ""
        yield name_in(call.get("id")) or f"call_{index}", name_in(function.get("name")), storable(text)[0]


def name_in(value: Any) -> str:
    """A name or an id of theirs, empty where there is none."""
    return storable(str(value)[:_LONGEST_NAME])[0] if isinstance(value, str | int) else ""


def count_in(value: Any) -> int:
    """A number of tokens; what is none counts as zero."""
    if not isinstance(value, int | float) or isinstance(value, bool) or math.isnan(value):
        return 0
    return int(min(max(value, 0), _MOST_TOKENS))
