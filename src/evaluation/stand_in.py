"""A stand-in for a language model: simulated, deterministic, and as good as what the request tells it.

It is no language model and says nothing about one. It exists so that everything that judges a change (comparison,
gates, reports) can be tried where no model can be reached: its behaviour depends on what the prompt, the tools'
descriptions and the knowledge in the request say, and gets worse when these get worse.

- Each rule of ``stand_in_reading.RULES`` is kept where the prompt has it, but for a slip; without it, the mistake that
  the rule forbids is made at the rate in ``MISTAKES``. A prompt that contradicts its rules weakens all of them.
- A tool is chosen by how near the customer's message is to the tool's name and description (the local sentence encoder
  that Atende reads intents with), and by whether the values it needs were given.
- Passages are used if the request holds them: the nearest sentence is what it answers.
- Slips are drawn anew for every request, sample and seed, as a model at a temperature above zero would; the temperature
  and a model's name (``nano``, ``mini``) change how many.
"""

from __future__ import annotations

import hashlib
import json
import random
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

import numpy as np

from agent.classifier import vectorise
from agent.encoder import Encoder, Vectors
from agent.language import detect_language
from agent.phrases import is_angry, small_talk, wants_person
from agent.second_reading import NOTHING_POINTED_AT, is_reading_request
from agent.terms import terms
from evaluation.stand_in_reading import Passage, Seen, Tool
from evaluation.stand_in_words import FACT, say

MISTAKES: Final[Mapping[str, float]] = {
    "never_invent": 0.55,
    "after_result": 0.3,
    "ask_missing": 0.6,
    "hand_off": 0.7,
    "use_functions": 0.25,
    "only_data": 0.4,
    "language": 0.6,
    "brief": 0.3,
}
"""How often the mistake is made that a rule forbids, where the prompt lacks the rule."""
_HARM: Final = 0.35
"""What of the way from a slip to the mistake each contradiction of the prompt takes."""
_SIZES: Final = (("nano", 3.0), ("mini", 1.6), ("small", 1.6))
_TOOL_FITS: Final = 0.24
_PASSAGE_FITS: Final = 0.2
_OBEYS: Final = re.compile(r"ignore (?:all|your|the)|ignor[ea] (?:todas|as|las|tus|suas)|system prompt", re.IGNORECASE)
_CHARACTERS_PER_TOKEN: Final = 4


class StandIn:
    """See the module. ``slip``: the chance of a mistake against a rule that the prompt has. Safe to share."""

    def __init__(self, encoder: Encoder, *, seed: int = 0, slip: float = 0.04) -> None:
        self._encoder = encoder
        self._seed = seed
        self._slip = slip
        self._vectors: dict[str, Vectors] = {}

    def respond(self, body: Mapping[str, Any], *, sample: int = 1) -> dict[str, Any]:
        """The response to a chat completion's request, in the wire's shape."""
        canonical = json.dumps(body, sort_keys=True, ensure_ascii=False)
        digest = hashlib.sha256(f"{self._seed}/{sample}/{canonical}".encode(errors="replace")).digest()
        draw = random.Random(digest)  # noqa: S311 - of a simulation
        seen = Seen.of(body)
        if is_reading_request(body["messages"]):  # it has no judgement: what the claim ledger's rules found stands
            message: dict[str, Any] = {"content": NOTHING_POINTED_AT}
        else:
            message = _Answer(self, seen, draw, self._slips(seen, body)).message()
        finish = "tool_calls" if message.get("tool_calls") else "stop"
        limit = body.get("max_completion_tokens") or body.get("max_tokens")
        text = str(message.get("content") or "")
        if limit and len(text) > int(limit) * _CHARACTERS_PER_TOKEN:
            message["content"], finish = text[: int(limit) * _CHARACTERS_PER_TOKEN], "length"
        used = (len(canonical) // _CHARACTERS_PER_TOKEN, len(json.dumps(message)) // _CHARACTERS_PER_TOKEN)
        return {
            "id": f"standin-{digest.hex()[:12]}",
            "object": "chat.completion",
            "created": 0,
            "model": str(body.get("model") or "stand-in"),
            "choices": [{"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}],
            "usage": {"prompt_tokens": used[0], "completion_tokens": used[1], "total_tokens": sum(used)},
        }

    def slips(self, body: Mapping[str, Any]) -> dict[str, float]:
        """For each rule, how likely the mistake is that it forbids."""
        return self._slips(Seen.of(body), body)

    def _slips(self, seen: Seen, body: Mapping[str, Any]) -> dict[str, float]:
        given = body.get("temperature")
        temperature = 1.0 if given is None else float(given)
        size = next((factor for word, factor in _SIZES if word in str(body.get("model") or "").lower()), 1.0)
        slip = min(0.5, self._slip * size * (0.9 + 0.5 * temperature))
        weakened = 1 - (1 - _HARM) ** seen.harmful
        return {
            rule: max(slip, mistake) if rule not in seen.rules else slip + (max(slip, mistake) - slip) * weakened
            for rule, mistake in MISTAKES.items()
        }

    def quality(self, body: Mapping[str, Any]) -> float:
        """The chance, from 0 to 1, that none of the forbidden mistakes is made where all could be: for comparing
        prompts. Rises with every rule that is there, falls with every contradiction."""
        return float(np.prod([1 - slip for slip in self.slips(body).values()]))

    def nearness(self, text: str, others: Sequence[str]) -> list[float]:
        """How near each other text is in meaning, with a little for words shared; most are between 0 and 1."""
        wish, words = self._vector(text), _words(text)
        near = []
        for other in others:
            shared = len(words & _words(other)) / max(1, min(len(words), 6))
            near.append(float(self._vector(other) @ wish) + 0.15 * shared)
        return near

    def _vector(self, text: str) -> Vectors:
        if text not in self._vectors:
            if len(self._vectors) > 20_000:
                self._vectors.clear()
            self._vectors[text] = vectorise([text], self._encoder)[0]
        return self._vectors[text]


@lru_cache(maxsize=20_000)
def _words(text: str) -> frozenset[str]:
    return frozenset(terms(text))


class _Answer:
    """One response in the making."""

    def __init__(self, model: StandIn, seen: Seen, draw: random.Random, slips: Mapping[str, float]) -> None:
        self._model = model
        self._seen = seen
        self._draw = draw
        # One draw per rule, whatever is asked: which mistakes this answer would make.
        self._slipped = {rule for rule, chance in sorted(slips.items()) if draw.random() < chance}
        self._language = self._spoken()

    def message(self) -> dict[str, Any]:
        seen = self._seen
        if not seen.tools and not seen.results and "notes of a customer service" in seen.system:
            return {"content": " ".join(" ".join(seen.said).split())[:600] or "-"}
        if "only_data" in self._slipped and _OBEYS.search(seen.asked):
            return {"content": say("obeys", self._language)}
        if seen.results:
            return self._after_call(seen.results[-1])
        wish = wants_person(seen.asked) or is_angry(seen.asked)
        if wish and "hand_off" not in self._slipped and self._offers("hand_off"):
            return self._hands_off("requested" if wants_person(seen.asked) else "anger")
        if small_talk(seen.asked):
            return {"content": say("greeting", self._language)}
        tool, fits = self._tool()
        sentence, nearest = self._sentence()
        if tool is not None and fits >= max(_TOOL_FITS, nearest - 0.1) and "use_functions" not in self._slipped:
            return self._calls(tool)
        if sentence is not None and nearest >= _PASSAGE_FITS:
            return {"content": self._worded(sentence)}
        if tool is not None and fits >= _TOOL_FITS and "after_result" in self._slipped:
            return {"content": say("done", self._language)}
        if "never_invent" in self._slipped:
            return {"content": self._worded(self._draw.choice(FACT[self._language]))}
        return {"content": say("unknown", self._language)}

    def _spoken(self) -> str:
        wrote = detect_language(self._seen.asked or " ".join(self._seen.said), self._seen.language or "pt")
        told = self._seen.language or wrote
        return "en" if "language" in self._slipped and told != "en" else told

    def _offers(self, name: str) -> bool:
        return any(tool.name == name for tool in self._seen.tools)

    def _tool(self) -> tuple[Tool | None, float]:
        """The tool that fits best, and how well."""
        tools = [tool for tool in self._seen.tools if tool.name != "hand_off"]
        best: tuple[Tool | None, float] = (None, 0.0)
        words = [f"{tool.name.replace('_', ' ')}: {tool.description}" for tool in tools]
        for tool, near in zip(tools, self._model.nearness(self._about(), words), strict=True):
            given = tool.values(self._seen.said, self._language)
            needs = [parameter.name for parameter in tool.needs]
            score = near + (0.2 * sum(name in given for name in needs) / len(needs) if needs else 0.0)
            if score > best[1]:
                best = (tool, score)
        return best

    def _about(self) -> str:
        """What the customer wants: a bare value answers what was wanted before."""
        long = [text for text in self._seen.said if len(terms(text)) > 1]
        asked = self._seen.asked
        return asked if len(terms(asked)) > 1 or not long else f"{long[-1]}\n{asked}"

    def _calls(self, tool: Tool) -> dict[str, Any]:
        values = tool.values(self._seen.said, self._language)
        missing = [parameter for parameter in tool.needs if parameter.name not in values]
        if missing and "ask_missing" not in self._slipped:
            return {"content": say("ask", self._language, missing[0].description or missing[0].name)}
        for parameter in missing:
            values[parameter.name] = (
                parameter.choices[0].value if parameter.choices else str(self._draw.randint(10_000, 99_999))
            )
        return self._call(tool.name, values)

    def _after_call(self, outcome: Mapping[str, Any]) -> dict[str, Any]:
        if outcome.get("problem") or outcome.get("status") not in {None, "succeeded"}:
            problems = sum(bool(one.get("problem")) for one in self._seen.results)
            if problems > 1 and self._offers("hand_off"):
                return self._hands_off("repeated_failure")
            return {"content": say("not_found", self._language)}
        told = ", ".join(_facts(outcome.get("result")))[:400]
        if "never_invent" in self._slipped:
            told = f"{told}. {self._draw.choice(FACT[self._language])}"
        return {"content": self._worded(say("found", self._language, told))}

    def _sentence(self) -> tuple[str | None, float]:
        """The sentence of the passages that is nearest to what was asked."""
        sentences = [(passage, one) for passage in self._seen.passages for one in _sentences(passage)]
        if not sentences:
            return None, 0.0
        near = self._model.nearness(self._about(), [f"{passage.title}: {one}" for passage, one in sentences])
        best = int(np.argmax(near))
        return sentences[best][1], near[best]

    def _hands_off(self, reason: str) -> dict[str, Any]:
        return self._call("hand_off", {"reason": reason, "summary": " ".join(self._seen.asked.split())[:200]})

    def _call(self, name: str, values: Mapping[str, Any]) -> dict[str, Any]:
        call_id = f"call_{self._draw.getrandbits(40):010x}"
        arguments = json.dumps(values, ensure_ascii=False)
        call = {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}
        return {"content": None, "tool_calls": [call]}

    def _worded(self, text: str) -> str:
        return f"{text} {say('rambling', self._language)}" if "brief" in self._slipped else text


def _sentences(passage: Passage) -> list[str]:
    found = (one.strip(" -*#") for one in re.split(r"(?<=[.!?])\s+|\n+", passage.text))
    return [one for one in found if len(one) > 12]


def _facts(value: Any, key: str = "") -> list[str]:
    match value:
        case Mapping():
            return [fact for name, item in value.items() for fact in _facts(item, str(name).replace("_", " "))]
        case list() | tuple():
            return [fact for item in value[:5] for fact in _facts(item, key)]
        case None | "":
            return []
        case _:
            return [f"{key}: {value}" if key else str(value)]
