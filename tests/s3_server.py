"""A small server of S3's protocol: put, get and delete, with every request's signature checked (AWS Signature V4)."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import quote

from aiohttp import web

KEY_ID, SECRET = "atende-test-key", "atende-test-secret"
_SIGNED = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/]+)/(?P<scope>[^,]+), ?SignedHeaders=(?P<names>[^,]+), ?"
    r"Signature=(?P<signature>[0-9a-f]{64})"
)


class S3Server:
    """``objects`` by path (``/bucket/key``). The next ``failing`` requests get 503; ``refused``: badly signed."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.failing = 0
        self.refused = 0
        self.url = ""

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.read()
        if self.failing:
            self.failing -= 1
            return web.Response(status=503)
        if not _is_signed(request, body):
            self.refused += 1
            return web.Response(status=403, text="<Error><Code>SignatureDoesNotMatch</Code></Error>")
        path = request.path
        match request.method:
            case "PUT":
                self.objects[path] = body
                return web.Response(headers={"ETag": f'"{hashlib.md5(body).hexdigest()}"'})  # as S3 does
            case "POST" if "delete" in request.query:  # DeleteObjects: a list of keys
                keys = re.findall(r"<Key>([^<]+)</Key>", body.decode())
                for key in keys:
                    self.objects.pop(f"{path}/{key}", None)
                gone = "".join(f"<Deleted><Key>{key}</Key></Deleted>" for key in keys)
                return web.Response(text=f"<DeleteResult>{gone}</DeleteResult>", content_type="application/xml")
            case _ if path not in self.objects:
                return web.Response(status=404, text="<Error><Code>NoSuchKey</Code></Error>")
            case _:
                tags = {"ETag": '"x"', "Last-Modified": "Wed, 04 Mar 2026 12:00:00 GMT"}
                return web.Response(body=self.objects[path], headers=tags)


def _is_signed(request: web.Request, body: bytes) -> bool:
    found = _SIGNED.fullmatch(request.headers.get("authorization", ""))
    claimed = request.headers.get("x-amz-content-sha256", "")
    if found is None or found["key"] != KEY_ID or claimed not in (hashlib.sha256(body).hexdigest(), "UNSIGNED-PAYLOAD"):
        return False
    names = found["names"].split(";")
    headers = "".join(f"{name}:{request.headers[name].strip()}\n" for name in names)
    query = "&".join(f"{quote(name)}={quote(value)}" for name, value in sorted(request.query.items()))
    asked = (request.method, quote(request.path), query, headers, found["names"], claimed)
    day, region, service, end = found["scope"].split("/")
    digest = hashlib.sha256("\n".join(asked).encode()).hexdigest()
    text = "\n".join(("AWS4-HMAC-SHA256", request.headers["x-amz-date"], found["scope"], digest))
    key = f"AWS4{SECRET}".encode()
    for part in (day, region, service, end, text):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.compare_digest(key.hex(), found["signature"])


@asynccontextmanager
async def running_s3() -> AsyncIterator[S3Server]:
    """Serve on a free port until the block ends."""
    server = S3Server()
    app = web.Application(client_max_size=64 * 1024 * 1024)
    app.router.add_route("*", "/{path:.*}", server.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield server
    finally:
        await runner.cleanup()
