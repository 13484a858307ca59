"""Defences that every answer and every change goes through: headers, request forgery, sign-in throttling."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import time
from collections import OrderedDict, deque
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",  # data: check marks and arrows of the style sheet; blob: what is about to be sent
        "font-src 'self'",
        "media-src 'self' blob:",
        "connect-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(self), payment=(), usb=()",
    "Cache-Control": "no-store",
}
"""What every answer carries unless it says otherwise."""

_CSRF_BYTES = 32


class SecurityHeaders:
    """Adds the security headers to every HTTP answer."""

    def __init__(self, app: ASGIApp, *, secure: bool) -> None:
        self._app = app
        self._headers = dict(HEADERS)
        if secure:
            self._headers["Strict-Transport-Security"] = "max-age=31536000; includeSubDomains"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_with_headers if scope["type"] == "http" else send)


def csrf_token(secret: bytes, session: str) -> str:
    """Proves that a form was made for this sign-in. Masked anew each time, so that compression leaks nothing."""
    mask = secrets.token_bytes(_CSRF_BYTES)
    return base64.urlsafe_b64encode(mask + _xor(mask, _csrf_value(secret, session))).decode()


def csrf_token_is_valid(secret: bytes, session: str, token: str) -> bool:
    """Whether ``token`` was made by ``csrf_token`` for the same sign-in."""
    try:
        raw = base64.urlsafe_b64decode(token.encode("ascii", "replace"))
    except ValueError:
        return False
    if len(raw) != 2 * _CSRF_BYTES:
        return False
    return hmac.compare_digest(_xor(raw[:_CSRF_BYTES], raw[_CSRF_BYTES:]), _csrf_value(secret, session))


def comes_from_here(headers: Headers) -> bool:
    """Whether a browser's request was made by a page of this very host. Clients that are no browsers send neither."""
    site = headers.get("sec-fetch-site")
    if site is not None and site not in {"same-origin", "none"}:
        return False
    origin = headers.get("origin")
    return origin is None or urlsplit(origin).netloc == headers.get("host")


def _csrf_value(secret: bytes, session: str) -> bytes:
    return hmac.new(secret, b"csrf " + session.encode(), hashlib.sha256).digest()


def _xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=True))


class Throttle:
    """Counts failures per key in this process: after ``limit`` of them within ``seconds`` a key must wait."""

    def __init__(self, *, limit: int, seconds: float, keys: int = 10_000) -> None:
        self._limit = limit
        self._seconds = seconds
        self._keys = keys
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()

    def seconds_to_wait(self, key: str) -> int:
        """0 when the key may try now."""
        failures = self._failures.get(key)
        if not failures:
            return 0
        now = time.monotonic()
        while failures and failures[0] <= now - self._seconds:
            failures.popleft()
        return int(failures[0] + self._seconds - now) + 1 if len(failures) >= self._limit else 0

    def failed(self, key: str) -> None:
        """Note a failure. The longest unused keys are forgotten first, so that memory stays bounded."""
        self._failures.setdefault(key, deque(maxlen=self._limit)).append(time.monotonic())
        self._failures.move_to_end(key)
        while len(self._failures) > self._keys:
            self._failures.popitem(last=False)

    def succeeded(self, key: str) -> None:
        """Forget the key's failures."""
        self._failures.pop(key, None)
