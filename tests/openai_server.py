"""A scripted OpenAI-compatible server: real HTTP on 127.0.0.1, for the real client and for processes of their own.

A script is a list of rules. A rule without ``when`` is used once, in order; one with ``when`` (a regular expression
searched in the last user message, case-insensitive) serves every request that matches and is looked at first. A rule is
one step, or holds several under ``steps``: then the round of the tool loop (assistant messages since the last user
message) selects the step.

A step: ``reply`` (text; ``{tool_result}``, ``{user}`` and the system message are filled in, see ``_retold``) |
``tool_calls`` ([{name, arguments: object or raw text}]) | ``status`` (with ``retry_after``, ``error``) | ``hold``
(seconds without an answer) | ``reset`` | ``empty_choices`` | ``body`` (raw text, ``content_type``). ``delay``
(seconds), ``finish_reason`` and ``faults`` (steps served first, once each per distinct request) go with any of them.

Second readings of replies (agent.second_reading) are answered by the rules that have ``again``, once each, in order,
and else by ``reads``: with no claim at all, so that what the claim ledger's rules found stands. Their requests are in
``readings``.

Embeddings (``/v1/embeddings``) are those of ``embed``, in base64 as the real service sends them. ``embedding_faults``
are steps that spoil the next requests, once each: ``status``, ``hold``, ``reset`` and ``body`` as above, ``drip``
(seconds for which bytes trickle), ``floats`` (numbers, in reverse order, for which the indices tell), ``lose`` (the
last vector is missing), ``width`` (vectors cut to it), ``nan``.

``/v1/audio/transcriptions`` is served by the same rules: there the file's own bytes stand for the last user message,
and a step's ``reply`` (``{user}``: the bytes) is the transcript; ``usage_seconds`` is told where it is given. Its log
entries are {"audio": the bytes as text, "model": …, "file_name": …}.

    python -m tests.openai_server --script script.json --port 8901      # GET /log shows the requests seen
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import codecs
import contextlib
import hashlib
import json
import re
import socket
import struct
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from aiohttp import web

Step = Mapping[str, Any]
Embed = Callable[[Sequence[str]], np.ndarray]


class ScriptedOpenAI:
    """Start it with ``async with``; ``requests`` is the log of the bodies seen, in order."""

    def __init__(self, script: Sequence[Step] = (), *, port: int = 0, embed: Embed | None = None) -> None:
        self.script = list(script)
        self.embed = embed
        self.embedding_faults: list[Step] = []
        self.requests: list[dict[str, Any]] = []
        self.reads: Callable[[str], str] = lambda _: '{"claims": []}'
        """Answers a second reading for which the script has no rule, from the request's last message."""
        self.readings: list[dict[str, Any]] = []
        self.keys: list[str] = []
        """The keys that the requests came with."""
        self.port = port
        self.may_answer = asyncio.Event()
        """Cleared by a test: every request waits until it is set again."""
        self.may_answer.set()
        self._used: set[int] = set()
        self._seen: Counter[str] = Counter()
        self._runner: web.AppRunner | None = None
        self._stopping = asyncio.Event()

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    async def __aenter__(self) -> ScriptedOpenAI:
        app = web.Application()
        app.router.add_post("/v1/chat/completions", self._complete)
        app.router.add_post("/v1/embeddings", self._embed)
        app.router.add_post("/v1/audio/transcriptions", self._transcribe)
        app.router.add_get("/log", self._log)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        listening = socket.create_server(("127.0.0.1", self.port))
        self.port = listening.getsockname()[1]
        await web.SockSite(self._runner, listening).start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stopping.set()
        self.may_answer.set()
        if self._runner:
            await self._runner.cleanup()

    async def _log(self, _: web.Request) -> web.Response:
        return web.json_response(self.requests)

    async def _complete(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        again = _last_user(body).startswith('<source id="S0"')
        (self.readings if again else self.requests).append(body)
        self.keys.append(request.headers.get("Authorization", "").removeprefix("Bearer "))
        step = (self._again(_last_user(body)) if again else self._step(body)) or {"status": 418}
        if (refused := await self._mishap(request, step)) is not None:
            return refused
        completion = _completion(body, _filled(step.get("reply"), body), step)
        return web.json_response({**completion, "choices": []} if step.get("empty_choices") else completion)

    async def _transcribe(self, request: web.Request) -> web.StreamResponse:
        form = await request.post()
        file = form["file"]
        assert isinstance(file, web.FileField)
        audio = file.file.read().decode("latin-1")
        body = {"audio": audio, "model": form["model"], "file_name": file.filename}
        self.requests.append(body)
        step = self._step({"messages": [{"role": "user", "content": audio}]}) or {"status": 418}
        if (refused := await self._mishap(request, step)) is not None:
            return refused
        usage = {"usage": {"type": "duration", "seconds": step["usage_seconds"]}} if "usage_seconds" in step else {}
        return web.json_response({"text": step["reply"].replace("{user}", audio), **usage})

    async def _mishap(self, request: web.Request, step: Step) -> web.StreamResponse | None:
        """What the step has instead of an answer, after its delay."""
        await asyncio.sleep(step.get("delay", 0))
        await self.may_answer.wait()
        if "hold" in step:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), step["hold"])
        if step.get("reset"):
            return _reset(request)
        if "status" in step:
            headers = {"Retry-After": str(step["retry_after"])} if "retry_after" in step else {}
            return web.json_response(
                {"error": step.get("error", {"message": "scripted"})}, status=step["status"], headers=headers
            )
        if "body" in step:
            return web.Response(text=step["body"], content_type=step.get("content_type", "application/json"))
        return None

    async def _embed(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.requests.append(body)
        step = self.embedding_faults.pop(0) if self.embedding_faults else {}
        if "hold" in step:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), step["hold"])
        if step.get("reset"):
            return _reset(request)
        if "status" in step:
            return web.json_response({"error": {"message": "scripted"}}, status=step["status"])
        if "body" in step:
            return web.Response(text=step["body"], content_type=step.get("content_type", "application/json"))
        if self.embed is None:
            return web.json_response({"error": {"message": "no such model"}}, status=404)
        vectors = np.array(await asyncio.to_thread(self.embed, body["input"]), dtype="<f4")[:, : step.get("width")]
        if step.get("nan"):
            vectors[0, 0] = np.nan
        answer = _embeddings(body, vectors[: -1 if step.get("lose") else None], floats=bool(step.get("floats")))
        if "drip" not in step:
            return web.json_response(answer)
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        began = time.monotonic()
        with contextlib.suppress(ConnectionError):
            while time.monotonic() < began + step["drip"] and not self._stopping.is_set():
                await response.write(b" ")
                await asyncio.sleep(0.02)
        return response

    def _step(self, body: Mapping[str, Any]) -> Step | None:
        rule = self._rule(_last_user(body))
        if rule is None:
            return None
        steps = rule.get("steps") or [rule]
        step = steps[min(_round(body), len(steps) - 1)]
        key = hashlib.sha256(json.dumps(body["messages"], sort_keys=True).encode()).hexdigest()
        self._seen[key] += 1
        faults: Sequence[Step] = step.get("faults", ())
        return faults[self._seen[key] - 1] if self._seen[key] <= len(faults) else step

    def _again(self, asked: str) -> Step:
        for index, rule in enumerate(self.script):
            if rule.get("again") and index not in self._used:
                self._used.add(index)
                return rule
        return {"reply": self.reads(asked)}

    def _rule(self, user: str) -> Step | None:
        for rule in self.script:
            if "when" in rule and re.search(rule["when"], user, re.IGNORECASE):
                return rule
        for index, rule in enumerate(self.script):
            if "when" not in rule and "again" not in rule and index not in self._used:
                self._used.add(index)
                return rule
        return None


def _last_user(body: Mapping[str, Any]) -> str:
    return next((str(m["content"]) for m in reversed(body["messages"]) if m["role"] == "user"), "")


def _round(body: Mapping[str, Any]) -> int:
    rounds = 0
    for message in reversed(body["messages"]):
        if message["role"] == "user":
            break
        rounds += message["role"] == "assistant"
    return rounds


def _filled(text: str | None, body: Mapping[str, Any]) -> str | None:
    if not text:
        return text
    result = next((str(m["content"]) for m in reversed(body["messages"]) if m["role"] == "tool"), "")
    system = next((str(m["content"]) for m in body["messages"] if m["role"] == "system"), "")
    text = re.sub(r"\{system(?:_(\w+))?\}", lambda match: _retold(system, match[1] or ""), text)
    reference = re.search(r"Reference: (\S+)", system)
    text = text.replace("{canary}", reference[1] if reference else "").replace(
        "{canary_dashed}", "-".join(reference[1]) if reference else ""
    )
    return text.replace("{tool_result}", result).replace("{user}", _last_user(body))


def _retold(system: str, how: str) -> str:
    """The system message as a model that was talked into it gives it away."""
    match how:
        case "part":
            return system[400:560]
        case "base64":
            return base64.b64encode(system.encode()).decode()
        case "reversed":
            return system[::-1]
        case "rot13":
            return codecs.encode(system, "rot13")
        case "lines":
            return "\n".join(system.split())
        case "emoji":
            return " 🌱 ".join(system.split())
        case "spaced":
            return " ".join(system)
    return system


def _reset(request: web.Request) -> web.StreamResponse:
    """Close with RST, as a broken peer or a killed proxy does."""
    transport = request.transport
    if transport is not None:
        raw = transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    return web.Response()


def _completion(body: Mapping[str, Any], text: str | None, step: Step) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": text}
    calls = step.get("tool_calls", ())
    if calls:
        message["tool_calls"] = [
            {
                "id": call.get("id", f"call_{index}"),
                "type": "function",
                "function": {
                    "name": call["name"],
                    "arguments": call["arguments"]
                    if isinstance(call["arguments"], str)
                    else json.dumps(call["arguments"]),
                },
            }
            for index, call in enumerate(calls)
        ]
    return {
        "id": "chatcmpl-scripted",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": body.get("model", "scripted"),
        "choices": [
            {
                "index": 0,
                "message": message,
                "finish_reason": step.get("finish_reason") or ("tool_calls" if calls else "stop"),
                "logprobs": None,
            }
        ],
        "usage": {"prompt_tokens": 120, "completion_tokens": 30, "total_tokens": 150},
    }


def _embeddings(body: Mapping[str, Any], vectors: np.ndarray, *, floats: bool) -> dict[str, Any]:
    wanted_floats = floats or body.get("encoding_format") != "base64"
    data = [
        {
            "object": "embedding",
            "index": index,
            "embedding": vector.tolist() if wanted_floats else base64.b64encode(vector.tobytes()).decode(),
        }
        for index, vector in enumerate(vectors)
    ]
    return {
        "object": "list",
        "model": body.get("model", "scripted"),
        "data": data[::-1] if floats else data,
        "usage": {"prompt_tokens": 8, "total_tokens": 8},
    }


async def _serve(script: list[Step], port: int) -> None:
    async with ScriptedOpenAI(script, port=port) as server:
        print(server.base_url, flush=True)  # noqa: T201 - read by the parent process
        await asyncio.Event().wait()


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description="A scripted OpenAI-compatible server")
    arguments.add_argument("--script", type=Path, required=True)
    arguments.add_argument("--port", type=int, default=0)
    parsed = arguments.parse_args()
    asyncio.run(_serve(json.loads(parsed.script.read_text(encoding="utf-8")), parsed.port))
