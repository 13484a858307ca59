"""The conversation as a language model reads it: rules, then messages; everything untrusted stands between marks."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from agent.chat_window import MESSAGE_CHARACTERS, WINDOW_MESSAGES, in_window
from agent.language_model import Message, ModelAnswer, RequestedCall
from agent.outgoing import CANARY
from agent.prompts import Prompt, as_data
from agent.state import Reading
from agent.turn import HistoryMessage, Passage, TurnContext, TurnInput
from agent.untrusted import display_name
from domain.decisions import HandOffReason
from domain.messages import Author, MessageKind

_RESULT_CHARACTERS: Final = 6_000

HAND_OFF_REASONS: Final = (
    HandOffReason.REQUESTED,
    HandOffReason.ANGER,
    HandOffReason.OUTSIDE_POLICY,
    HandOffReason.REPEATED_FAILURE,
    HandOffReason.LOW_CONFIDENCE,
)
HAND_OFF_TOOL: Final[dict[str, Any]] = {
    "type": "function",
    "function": {
        "name": "hand_off",
        "description": "Give the conversation to a person of the business. The customer is told so automatically.",
        "parameters": {
            "type": "object",
            "properties": {
                "reason": {"type": "string", "enum": [reason.value for reason in HAND_OFF_REASONS]},
                "summary": {
                    "type": "string",
                    "description": "For the operator: what the customer wants and what is known so far. One sentence.",
                },
            },
            "required": ["reason", "summary"],
            "additionalProperties": False,
        },
    },
}


def opening_messages(
    prompt: Prompt, turn: TurnInput, context: TurnContext, reading: Reading, passages: Sequence[Passage]
) -> list[Message]:
    """System prompt with the summary of what is no longer shown, recent history, then the unanswered messages."""
    profile, dialogue = context.profile, reading.dialogue
    system = prompt.fill(
        business=profile.name,
        persona=profile.persona,
        language=reading.language,
        today=f"{context.now.astimezone(profile.timezone):%A, %Y-%m-%d %H:%M}",
        contact_name=display_name(turn.contact_name),
        canary=context.canary or CANARY,
        masked=profile.mask_model_prompts,
        passages=[{"ref": p.ref, "title": p.title, "text": p.text} for p in passages],
        summary=turn.summary,
        progress=json.dumps(dialogue.to_json(), ensure_ascii=False) if dialogue.function else "",
    )
    messages: list[Message] = [{"role": "system", "content": system}]
    messages += [_message(message) for message in in_window(turn)]
    messages += [_message(message) for message in turn.unanswered[-WINDOW_MESSAGES:]]
    return messages


def _message(message: HistoryMessage) -> Message:
    text = message.text[:MESSAGE_CHARACTERS] or f"[{message.kind}]"
    if message.author is Author.CONTACT:
        mark = " forwarded" if message.forwarded else "" if message.kind is MessageKind.TEXT else f" {message.kind}"
        return {"role": "user", "content": f"<customer_message{mark}>\n{as_data(text)}\n</customer_message>"}
    if message.author is Author.BOT:
        return {"role": "assistant", "content": text}
    return {"role": "assistant", "content": f"[written by a person of the team] {text}"}


def requested(answer: ModelAnswer) -> Message:
    """The model's own message with its calls, as the protocol wants it back."""
    return {
        "role": "assistant",
        "content": answer.text or None,
        "tool_calls": [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in answer.tool_calls
        ],
    }


def tool_message(call: RequestedCall, content: Mapping[str, Any]) -> Message:
    """A call's outcome as data: JSON in which no mark can be closed."""
    text = json.dumps(content, ensure_ascii=False, default=str).replace("<", "\\u003c")
    if len(text) > _RESULT_CHARACTERS:
        text = text[:_RESULT_CHARACTERS] + " … (cut)"
    return {"role": "tool", "tool_call_id": call.id, "content": f"<function_result>\n{text}\n</function_result>"}
