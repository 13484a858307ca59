"""``/api/v1/auth``: access and refresh tokens for people's own programs, against e-mail and password.

Nothing here reads cookies. An access token is valid for ten minutes and only as long as its sign-in; revoking, signing
out everywhere or a changed password end both at once.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, TypeVar

from fastapi import APIRouter
from pydantic import Field, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from flows.access_tokens import ACCESS_SECONDS, STAY, Tokens
from flows.accounts import Accounts
from flows.sign_in import NoBusinessError, WrongCodeError
from web.api import answer, check_parameters
from web.api_errors import InvalidBodyError
from web.api_schema import Asked, Shown, faults_of, operation
from web.floods import Floods, source_of

router = APIRouter(prefix="/api/v1/auth", tags=["auth"])
_AGENT = 300
_LARGEST = 16 * 1024
"""Bytes of a body: anybody may post here."""
_floods = Floods()
_Body = TypeVar("_Body", bound=Asked)


class Credentials(Asked):
    """Who signs in."""

    email: Annotated[str, Field(max_length=320)]
    password: Annotated[str, Field(max_length=1024)]
    totp: Annotated[str, Field(max_length=40)] = Field(
        "", description="The authenticator's six digits, or a recovery code: of who has a second factor"
    )
    tenant: Annotated[str, Field(max_length=100)] | None = Field(
        None, description="Slug or id of the business; without it the person's first"
    )
    example: ClassVar[dict[str, Any]] = {"email": "ana@shop.example", "password": "…", "tenant": "my-shop"}


class RefreshToken(Asked):
    """The newest refresh token."""

    refresh_token: Annotated[str, Field(max_length=200)]
    example: ClassVar[dict[str, Any]] = {"refresh_token": "atende_refresh_…"}


class AnyToken(Asked):
    """An access or refresh token."""

    token: Annotated[str, Field(max_length=4000)]
    example: ClassVar[dict[str, Any]] = {"token": "atende_refresh_…"}


class TokenPair(Shown):
    """What a program signs its calls with, as in OAuth 2 (RFC 6749, 5.1)."""

    access_token: str
    token_type: str = "Bearer"  # noqa: S105 - its name
    expires_in: int = Field(description="Seconds, of the access token")
    refresh_token: str
    refresh_expires_in: int = Field(description="Seconds, if it is not used before")
    tenant_id: str
    example: ClassVar[dict[str, Any]] = {
        "access_token": "eyJhbGciOiJIUzI1NiIs…",
        "token_type": "Bearer",
        "expires_in": ACCESS_SECONDS,
        "refresh_token": "atende_refresh_…",
        "refresh_expires_in": int(STAY.total_seconds()),
        "tenant_id": "8f14e45f-ceea-467f-ab5d-9a1b2c3d4e5f",
    }


def _open(described: dict[str, Any]) -> dict[str, Any]:
    """The description of an operation that wants no key."""
    described["openapi_extra"]["security"] = []
    return described


@router.post("/token", **_open(operation(TokenPair, Credentials, refusals=[404])))
async def sign_in(request: Request) -> Response:
    """A new sign-in. 401 with ``type`` ``urn:atende:problem:wrong-code`` asks for ``totp``."""
    wanted = await _read(request, Credentials)
    accounts: Accounts = request.app.state.accounts
    address = source_of(request)
    person = await accounts.sign_in.check_password(wanted.email, wanted.password, address)
    if person.needs_code:
        if not wanted.totp.strip():
            raise WrongCodeError(given=False)
        await accounts.sign_in.check_code(person, wanted.totp, address)
    tenant_id = person.tenant(wanted.tenant)
    if tenant_id is None:
        raise NoBusinessError
    return _pair(await accounts.tokens.open(person, tenant_id, request.headers.get("user-agent", "")[:_AGENT]))


@router.post("/refresh", **_open(operation(TokenPair, RefreshToken)))
async def renew(request: Request) -> Response:
    """Another pair for a refresh token, which then is spent. A spent one ends the whole sign-in."""
    wanted = await _read(request, RefreshToken)
    accounts: Accounts = request.app.state.accounts
    return _pair(await accounts.tokens.renew(wanted.refresh_token))


@router.post("/revoke", **_open(operation(asks=AnyToken, status=204, about="It is ended")))
async def revoke(request: Request) -> Response:
    """End the sign-in that the token belongs to, at once. An unknown token is as good as ended (RFC 7009)."""
    wanted = await _read(request, AnyToken)
    accounts: Accounts = request.app.state.accounts
    await accounts.tokens.revoke(wanted.token)
    return Response(status_code=204)


async def _read(request: Request, model: type[_Body]) -> _Body:
    """The body as JSON, whatever its declared type."""
    check_parameters(request)
    async with _floods.body(request, _LARGEST) as body:
        try:
            return model.model_validate_json(body or b"{}")
        except ValidationError as error:
            raise InvalidBodyError(faults_of(error)) from None


def _pair(tokens: Tokens) -> Response:
    return answer(
        TokenPair(
            access_token=tokens.access,
            expires_in=ACCESS_SECONDS,
            refresh_token=tokens.refresh,
            refresh_expires_in=int(STAY.total_seconds()),
            tenant_id=str(tokens.tenant_id),
        ).model_dump()
    )
