"""What lets a machine in: private keys, passwords within addresses, settings, and keys known by their beginning."""

from __future__ import annotations

import re
from typing import Final

from domain.personal_data.found import Finds, Kind

_PEM: Final = re.compile(
    r"-----begin (?:[a-z0-9]+ ){0,3}private key(?: block)?-----.*?(?:-----end (?:[a-z0-9]+ ){0,3}private key(?: block)?-----|\Z)",
    re.DOTALL,
)
_IN_ADDRESS: Final = re.compile(r"\b[a-z][a-z0-9+.\-]{1,20}://[^\s:/@]{0,64}:(?P<value>[^\s/@]{3,128})@")
_SETTING: Final = re.compile(
    r"(?<![a-z0-9])(?:[a-z0-9]+[_-])*(?:secret|token|api[_-]?key|access[_-]?key|private[_-]?key|passw(?:or)?d|senha|client[_-]?secret|auth)"
    r"(?:[_-][a-z0-9]+)*\s{0,2}[=:]\s{0,2}[\"']?(?P<value>[^\s\"',;]{8,256})"
)
_KNOWN: Final = re.compile(
    r"(?<![\w])(?:hf_[a-z0-9]{20,}|sg\.[\w\-]{16,}\.[\w\-]{16,}|npm_[a-z0-9]{30,}|whsec_[\w+/=\-]{16,}|pypi-[\w\-]{16,}|shp(?:at|ca|pa|ss)_[a-z0-9]{16,}|"
    r"dop_v1_[a-f0-9]{30,}|ya29\.[\w\-]{20,}|\$aact_[\w$:=\-]{20,}|sq0[a-z]{3}-[\w\-]{20,}|dckr_pat_[\w\-]{16,}|xapp-[\w\-]{16,}|gsk_[a-z0-9]{20,}|r8_[a-z0-9]{20,}|"
    r"atatt3[\w\-=]{20,}|lin_api_[a-z0-9]{20,}|sbp_[a-f0-9]{20,}|asia[0-9a-z]{16})"
)
_META: Final = re.compile(r"(?<![\w])EAA[A-Za-z0-9]{40,}")
"""An access token of Meta's, which has no other mark than its beginning and length."""


def find_keys(finds: Finds) -> None:
    """Claimed before links are kept: a link may hold a password."""
    text = finds.folded
    for match in _PEM.finditer(text):
        finds.add(Kind.SECRET, *match.span())
    for match in _IN_ADDRESS.finditer(text):
        finds.add(Kind.SECRET, *match.span("value"))
    for match in _KNOWN.finditer(text):
        finds.add(Kind.SECRET, *match.span())
    for match in _META.finditer(finds.text):
        finds.add(Kind.SECRET, *match.span())
    for match in _SETTING.finditer(text):
        value = match["value"].rstrip(".)]}”")
        named = "_" in match[0][: match.start("value") - match.start()] or "=" in match[0]
        if named and any(map(str.isdigit, value)) and any(map(str.isalpha, value)):
            finds.add(Kind.SECRET, match.start("value"), match.start("value") + len(value))
