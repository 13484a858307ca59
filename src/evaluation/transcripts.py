"""What was said in the cases of a run, packed for its report: by far the most of it, and a reader looks at little."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from evaluation.comparison import PASSED
from evaluation.figures import CaseKey, Cases
from evaluation.results import CaseResult

PACK: Final = 25
"""Cases per pack of transcripts."""
TRANSCRIPT_BYTES: Final = 3_000_000
"""All packs together, compressed. Above it traces are left out, first of cases that passed, and the report says so."""
_LONG: Final = 600


def packs_of(cases: Cases, keys: Sequence[CaseKey], labels: Sequence[str], most_bytes: int) -> tuple[list[bytes], bool]:
    """All transcripts; if that is too much, without long traces of what passed everywhere; then without any."""
    whole = {key: _transcripts(cases.by_key[key], labels) for key in keys}
    packs = _packed(list(whole.values()))
    if sum(map(len, packs)) <= most_bytes:
        return packs, False
    fine = {
        key
        for key in keys
        if all(one.status == PASSED and not one.critical for epochs in cases.by_key[key].values() for one in epochs)
    }
    packs = _packed([_shortened(one) if key in fine else one for key, one in whole.items()])
    if sum(map(len, packs)) > most_bytes:
        packs = _packed([_shortened(one) for one in whole.values()])
    return packs, True


def _packed(transcripts: Sequence[Any]) -> list[bytes]:
    return [
        gzip.compress(
            json.dumps(
                transcripts[start : start + PACK], ensure_ascii=False, separators=(",", ":"), default=str
            ).encode(),
            6,
            mtime=0,
        )
        for start in range(0, len(transcripts), PACK)
    ]


def _transcripts(played: Mapping[str, Sequence[CaseResult]], labels: Sequence[str]) -> dict[str, Any]:
    """Of one case: what every bundle's every epoch came to."""
    return {label: [_transcript(one) for one in played.get(label, ())] for label in labels}


def _transcript(one: CaseResult) -> dict[str, Any]:
    return {
        "epoch": one.epoch,
        "status": one.status,
        "origin": one.origin,
        "error": one.error,
        "source": one.source,
        "checks": [asdict(check) for check in one.checks],
        "scores": dict(one.scores),
        "steps": [dict(step) for step in one.steps],
        "latency_ms": round(one.latency_ms, 1),
        "cost_micros": one.cost_micros,
        "model_calls": one.model_calls,
        "intent": one.intent,
        "expected_intent": one.expected_intent,
        "confidence": one.confidence,
    }


def _shortened(value: Any) -> Any:
    """Without what is long: lists and objects of more than a few hundred characters below the turns' own level."""
    if isinstance(value, dict):
        return {key: "…" if key == "trace" and _is_long(inner) else _shortened(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_shortened(inner) for inner in value]
    return value


def _is_long(value: Any) -> bool:
    return len(json.dumps(value, default=str)) > _LONG
