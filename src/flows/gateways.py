"""The gateways that numbers can be behind, by the name of their provider, and what a number of each must be told."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import httpx

from channels.gateway import Gateway, MediaSource, Setting
from channels.whatsapp.cloud_api import CloudApiGateway
from channels.whatsapp.evolution import EvolutionGateway
from channels.whatsapp.generic_webhook import GenericWebhookGateway
from channels.whatsapp.gowa import GowaGateway
from channels.whatsapp.waha import WahaGateway
from channels.whatsapp.wppconnect import WppconnectGateway
from domain.errors import InvalidInputError
from domain.sending_pace import PACE_SETTINGS, read_pace_setting

Gateways = Mapping[str, Gateway]
"""One gateway for all numbers of a provider, by the provider's name."""

_LONGEST_VALUE = 4096


class SettingsRefusedError(InvalidInputError):
    """A number cannot be added with these settings; ``faults`` names every one with what is wrong."""

    def __init__(self, provider: str, faults: Mapping[str, str], known: tuple[Setting, ...]) -> None:
        listed = "; ".join(f"{name} {fault}" for name, fault in faults.items())
        settings = ", ".join(
            f"{setting.name}{f' (such as {setting.example})' if setting.example else ''}" for setting in known
        )
        super().__init__(next(iter(faults)), listed, hint=f"A {provider} number takes: {settings or 'no settings'}.")
        self.args = (f"This {provider} number cannot be added: {listed}",)
        self.faults = dict(faults)


FACTORIES: Mapping[str, type[Any]] = {
    "waha": WahaGateway,
    "evolution": EvolutionGateway,
    "wppconnect": WppconnectGateway,
    "gowa": GowaGateway,
    "cloud_api": CloudApiGateway,
    "webhook": GenericWebhookGateway,
}
"""The providers behind HTTP, in the order in which they are offered; each made of an HTTP client and a media source."""


PACE = tuple(Setting(name, required=False) for name in PACE_SETTINGS)
"""How fast a number may send; see domain.sending_pace."""


def declared_settings(provider: str) -> tuple[Setting, ...]:
    """What a number of this provider is told: its gateway's settings, and the limits of its sending."""
    return (*FACTORIES[provider].settings, *PACE) if provider in FACTORIES else PACE


def open_gateways(http: httpx.AsyncClient, media: MediaSource) -> Gateways:
    """All gateways of a process. Whoever makes ``http`` closes it."""
    return {name: make(http, media) for name, make in FACTORIES.items()}


def gateway_client() -> httpx.AsyncClient:
    """The HTTP client that all of a process's gateway numbers share.

    Idle connections are dropped before Node's five seconds are over: a message written to a connection that the other
    side is just closing would have an unknown fate.
    """
    return httpx.AsyncClient(limits=httpx.Limits(max_connections=100, keepalive_expiry=2.0))


def completed_settings(provider: str, declared: tuple[Setting, ...], given: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a new number: what was given, defaults for the rest, and the secrets that we make ourselves.

    Raises SettingsRefusedError with all faults at once.
    """
    known = {setting.name: setting for setting in declared}
    faults = {name: "is not known here" for name in given if name not in known}
    settings: dict[str, Any] = {}
    for name, setting in known.items():
        value = str(given.get(name, "")).strip()
        if not value and setting.made:
            value = secrets.token_urlsafe(32)
        value = value or setting.default or ""
        if fault := _fault(setting, value):
            faults[name] = fault
        elif value:
            settings[name] = value
    if faults:
        raise SettingsRefusedError(provider, faults, declared)
    return settings


def _fault(setting: Setting, value: str) -> str:
    if not value:
        return "is missing" if setting.required else ""
    if len(value) > _LONGEST_VALUE or not value.isprintable():
        return f"must be at most {_LONGEST_VALUE} printable characters"
    if setting.name in PACE_SETTINGS:
        try:
            read_pace_setting(setting.name, value)
        except InvalidInputError as error:
            return error.problem
    if setting.name.endswith("_url") and not _is_web_address(value):
        return "must be an address that begins with http:// or https://"
    return ""


def _is_web_address(value: str) -> bool:
    try:
        parts = urlsplit(value)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
