"""Plays scripted conversations through the production graph, with everything around it in memory."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

from langgraph.checkpoint.memory import InMemorySaver

from agent.encoder import Encoder
from agent.graph import build_agent
from domain.errors import AtendeError
from evaluation.conversation import Conversation
from evaluation.stage import Stage
from evaluation.tenant import OfflineTenant
from flows.demo_outcomes import Played, StepSeen, mismatches
from flows.demo_scripts import DemoScript, DemoStep
from flows.tenant_declaration import TenantDeclaration

log = logging.getLogger(__name__)

OnStep = Callable[[DemoScript, int, StepSeen], None]
"""Told of each step once it is over: the script, the step's position from 1, and what came of it."""


class Player:
    """One tenant and its customers. Scripts of one phone on one number continue one conversation."""

    def __init__(self, declaration: TenantDeclaration, encoder: Encoder, clock: Callable[[], datetime]) -> None:
        today = clock().astimezone(ZoneInfo(declaration.settings.timezone)).date()
        tenant = OfflineTenant(declaration, encoder, today=today)
        self._first_number = declaration.settings.numbers[0].key
        self._stage = Stage(tenant, build_agent(InMemorySaver()), clock)

    @property
    def conversations(self) -> Sequence[Conversation]:
        """All so far."""
        return list(self._stage.conversations.values())

    async def play(self, script: DemoScript, on_step: OnStep) -> Played:
        """All steps, up to one that cannot be taken."""
        key = f"{script.number or self._first_number}/{script.contact.phone}"
        conversation = self._stage.conversations.setdefault(key, Conversation(key, script.contact))
        conversation.contact = script.contact
        played = Played(script)
        for position, step in enumerate(script.steps, 1):
            turns, received, started = len(conversation.turns), len(conversation.received), time.perf_counter()
            problem = await self._try(step, conversation)
            seen = StepSeen(
                turns=tuple(conversation.turns[turns:]),
                received=tuple(conversation.received[received:]),
                status=conversation.status,
                seconds=time.perf_counter() - started,
            )
            problems = (problem,) if problem else tuple(mismatches(step.expect, seen))
            played.steps.append(replace(seen, problems=problems))
            on_step(script, position, played.steps[-1])
            if problem:
                break
        return played

    async def _try(self, step: DemoStep, conversation: Conversation) -> str:
        """Take the step; returns why it cannot be taken, or ""."""
        try:
            if step.operator:
                return await self._stage.operate(step.operator, conversation)
            await self._stage.say(conversation, step.say)
        except AtendeError as error:
            what = "the operator was refused" if step.operator else "the turn failed"
            return f"{what}: {error.sentence()}"
        except Exception as error:  # what breaks the graph is a finding about this script, not the end of the run
            log.exception("a turn failed")
            return f"the turn failed: {type(error).__name__}: {error}"
        return ""


async def play_scripts(
    declaration: TenantDeclaration,
    scripts: Sequence[DemoScript],
    encoder: Encoder,
    clock: Callable[[], datetime],
    on_step: OnStep = lambda *_: None,
) -> list[Played]:
    """One after the other, in the order given, over one set of records. Raises EncoderUnavailableError."""
    player = Player(declaration, encoder, clock)
    return [await player.play(script, on_step) for script in scripts]
