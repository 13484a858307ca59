"""A call of the language model as attributes of a span: OpenTelemetry's conventions for generative AI."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from domain import telemetry

if TYPE_CHECKING:
    from agent.language_model import Message, ModelAnswer, ModelSettings

_OPTIONS = {"temperature": float, "top_p": float, "max_tokens": int, "seed": int}


def asked(settings: ModelSettings, options: Mapping[str, Any]) -> dict[str, Any]:
    """Known before the call."""
    address = urlsplit(settings.base_url)
    attributes: dict[str, Any] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",  # the protocol; whose model it is, only the name tells
        "gen_ai.request.model": settings.model,
        "server.address": address.hostname or "",
        "server.port": address.port or (80 if address.scheme == "http" else 443),
    }
    given = {f"gen_ai.request.{name}": kind(options[name]) for name, kind in _OPTIONS.items() if name in options}
    return attributes | given


def answered(answer: ModelAnswer) -> dict[str, Any]:
    """Known after it."""
    return {
        "gen_ai.response.model": answer.model,
        "gen_ai.response.finish_reasons": [answer.finish_reason],
        "gen_ai.usage.input_tokens": answer.usage.input_tokens,
        "gen_ai.usage.output_tokens": answer.usage.output_tokens,
        "atende.cost_micros": answer.usage.cost_micros,
        "atende.failed_attempts": len(answer.attempts),
    }


def content(messages: Sequence[Message], answer: ModelAnswer) -> dict[str, Any]:
    """The words, for those who asked for them; personal data masked."""
    calls = [{"id": call.id, "name": call.name, "arguments": call.arguments} for call in answer.tool_calls]
    said = {"role": "assistant", "parts": _parts(answer.text, calls), "finish_reason": answer.finish_reason}
    return {
        "gen_ai.input.messages": telemetry.words([_message(message) for message in messages]),
        "gen_ai.output.messages": telemetry.words([said]),
    }


def _message(message: Message) -> dict[str, Any]:
    if message["role"] == "tool":
        answer = {"type": "tool_call_response", "id": message["tool_call_id"], "response": message["content"]}
        return {"role": "tool", "parts": [answer]}
    calls = [{"id": call["id"], **call["function"]} for call in message.get("tool_calls") or ()]
    return {"role": message["role"], "parts": _parts(message.get("content") or "", calls)}


def _parts(text: str, calls: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    words = [{"type": "text", "content": text}] if text else []
    return [*words, *({"type": "tool_call", **call} for call in calls)]
