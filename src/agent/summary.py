"""The running summary of a long conversation, by a language model: what left the window, in a few sentences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from agent.language_model import LanguageModel
from agent.masked_model import MaskedModel
from agent.prompts import Prompt, as_data
from agent.turn import HistoryMessage, TenantProfile, TurnInput
from domain.messages import Author
from domain.personal_data import Placeholders
from domain.text import storable

_MESSAGE_CHARACTERS: Final = 600
_SUMMARY_CHARACTERS: Final = 2_500
_WRITERS: Final = {Author.CONTACT: "customer", Author.BOT: "assistant"}


async def summarise(
    prompt: Prompt,
    model: LanguageModel,
    profile: TenantProfile,
    turn: TurnInput,
    messages: Sequence[HistoryMessage],
    *,
    language: str | None = None,
) -> str:
    """The turn's summary so far and ``messages``, which come next, in one text of at most 2,500 characters.

    In ``language``, else the customer's. It is as untrusted as what it sums up.

    Raises ModelError.
    """
    placeholders = Placeholders(turn.conversation_id)
    for message in messages:
        placeholders.learn(message.text)
    summarist = model.summarist()
    masking = MaskedModel(summarist, placeholders) if profile.mask_model_prompts else summarist
    language = language or turn.language or profile.default_language
    system = prompt.fill(language=language, masked=profile.mask_model_prompts)
    answer = await masking.complete(
        [{"role": "system", "content": system}, {"role": "user", "content": _transcript(turn.summary, messages)}],
        **prompt.model,
    )
    return storable(answer.text.strip())[0][:_SUMMARY_CHARACTERS]


def _transcript(previous: str, messages: Sequence[HistoryMessage]) -> str:
    lines = [f"<earlier_summary>\n{as_data(previous)}\n</earlier_summary>"] if previous else []
    for message in messages:
        text = message.text[:_MESSAGE_CHARACTERS] or f"[{message.kind}]"
        mark = " forwarded" if message.forwarded else ""
        writer = _WRITERS.get(message.author, "person_of_the_team")
        lines.append(f'<message by="{writer}"{mark}>\n{as_data(text)}\n</message>')
    return "\n".join(lines)
