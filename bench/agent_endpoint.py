"""What bench/agent.py's agent reaches over HTTP: an OpenAI-compatible model and the business's own system. Very light.

    python bench/agent_endpoint.py      prints its port, serves until it is killed

The model's name says how long it thinks: ``wait-500`` answers after 500 ms. It first calls ``invoice_of`` with the
five-digit number in the customer's last message, then tells what the function found.
"""

from __future__ import annotations

import asyncio
import re
from typing import Any

import orjson

_NUMBER = re.compile(r"\d{5}")


def _read_again(invoice: str) -> str:
    claims = [
        {"part": part, "quotes": [{"source": "S1", "text": quote}], "why": "the result says so", "supported": True}
        for part, quote in ((invoice, f'"invoice": "{invoice}"'), ("R$ 99,90", '"total": "99,90"'))
    ]
    return orjson.dumps({"claims": claims}).decode()


class Endpoint(asyncio.Protocol):
    """One connection; keeps it open, answers requests in order."""

    waiting = 0
    """Model calls that are being thought about, over all connections."""
    asked = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.buffer = bytearray()

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head = bytes(self.buffer[:end]).lower()
            length = re.search(rb"content-length: (\d+)", head)
            total = end + 4 + (int(length[1]) if length else 0)
            if len(self.buffer) < total:
                return
            body, path = bytes(self.buffer[end + 4 : total]), head.split(b" ", 2)[1]
            del self.buffer[:total]
            self.serve(path, body)

    def serve(self, path: bytes, body: bytes) -> None:
        if path.startswith(b"/invoices/"):
            self.answer({"order": path[10:].decode(), "invoice": "F-" + path[10:].decode(), "total": "99,90"})
        elif path == b"/figures":
            self.answer({"waiting": Endpoint.waiting, "asked": Endpoint.asked})
        else:
            asked = orjson.loads(body)
            Endpoint.waiting += 1
            Endpoint.asked += 1
            seconds = int(asked["model"].removeprefix("wait-")) / 1000
            asyncio.get_running_loop().call_later(seconds, self.think, asked)

    def think(self, asked: dict[str, Any]) -> None:
        Endpoint.waiting -= 1
        last = asked["messages"][-1]
        number = _NUMBER.search(str(last["content"]))
        if last["role"] == "user" and last["content"].startswith('<source id="S0"'):
            message = {"content": _read_again(f"F-{number[0] if number else '?'}")}
        elif last["role"] == "user" and number:
            call = {"name": "invoice_of", "arguments": orjson.dumps({"order_number": number[0]}).decode()}
            message = {"content": None, "tool_calls": [{"id": "call_1", "type": "function", "function": call}]}
        else:
            message = {"content": f"A nota do pedido é a F-{number[0] if number else '?'}, no total de R$ 99,90."}
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", **message}}
        usage = {"prompt_tokens": 900, "completion_tokens": 30, "total_tokens": 930}
        self.answer(
            {
                "id": "x",
                "object": "chat.completion",
                "created": 1,
                "model": asked["model"],
                "choices": [choice],
                "usage": usage,
            }
        )

    def answer(self, value: Any) -> None:
        body = orjson.dumps(value)
        head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        if not self.transport.is_closing():
            self.transport.write(head.encode() + body)


async def main() -> None:
    server = await asyncio.get_running_loop().create_server(Endpoint, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
