"""Made-up runs: bundles whose cases pass as told."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

from evaluation.results import BundleRef, CaseResult, Check, Run


def result(suite: str, case: str, bundle: str, status: str, **more: Any) -> CaseResult:
    """One result; ``status``: p(assed), f(ailed) or e(rrored)."""
    word = {"p": "passed", "f": "failed", "e": "errored"}[status]
    given: dict[str, Any] = {
        "epoch": 1,
        "origin": "replayed",
        "error": "the endpoint is away" if status == "e" else "",
        "checks": (Check("decision", status == "p", 1, "reply", "reply" if status == "p" else "hand_off"),),
        **more,
    }
    return CaseResult(suite=suite, case=case, bundle=bundle, status=word, **given)  # type: ignore[arg-type]


def run(results: Sequence[CaseResult], **more: Any) -> Run:
    """A run of these results."""
    labels = sorted({one.bundle for one in results} or {"A"})
    given: dict[str, Any] = {"mode": "replay", "epochs": 1, "started_at": "2026-11-22T10:00:00+00:00", "seconds": 1.5}
    return Run(
        tenant="shop",
        suites=tuple(dict.fromkeys(one.suite for one in results)),
        bundles=tuple(BundleRef(label, f"{label}-hash", f"bundle {label}") for label in labels),
        results=tuple(results),
        **{**given, **more},
    )


def paired(statuses: Mapping[str, Sequence[str]], **more: Any) -> Run:
    """Suite → pairs such as ``"pf"``: passed under the baseline B, failed under the candidate A."""
    return run(
        [
            result(suite, f"case-{position}", bundle, status, **more)
            for suite, pairs in statuses.items()
            for position, pair in enumerate(pairs)
            for bundle, status in zip("BA", pair, strict=True)
        ]
    )


HOSTILE = "</script><script>alert('x')</script><!-- <img src=x onerror=alert(1)> & \"aspas\" \x01 "
"""What customers and models may write."""


def lifelike(cases: int, seed: int = 1, *, trace: int = 2, epochs: int = 1) -> Run:
    """A run as the runner writes it: several suites, origins and languages, some cases worse, one that errored."""
    draw = random.Random(seed)
    results = []
    for n in range(cases):
        suite, origin = [("shop", "simulated"), ("red_team", "replayed"), ("intents", "local")][n % 3]
        meant, ease = draw.choice(("order_status", "refund", "greeting")), draw.betavariate(8, 1)
        for bundle in "BA":
            for epoch in range(1, epochs + 1):
                status = "e" if n == 4 else "p" if draw.random() < ease - 0.2 * (bundle == "A") else "f"
                text = (
                    f"{HOSTILE if n == 0 else ''}Seu pedido {1000 + n} chega {'amanhã' if status == 'p' else 'logo'}."
                )
                sure = draw.betavariate(9, 1.5)
                items = [{"sku": f"{draw.getrandbits(32):08x}", "name": "Camiseta"} for _ in range(trace)]
                turn = {
                    "decision": {"kind": "reply" if status == "p" else "hand_off", "text": text, "reasons": []},
                    "trace": {"intent": meant, "confidence": sure, "tool_calls": [], "model_calls": items},
                }
                results.append(
                    result(
                        suite,
                        f"{meant}-{n:04}",
                        bundle,
                        status,
                        epoch=epoch,
                        origin=origin,
                        critical=n % 40 == 1,
                        tags=("delivery",) if n % 2 else (HOSTILE,),
                        language=("pt", "es", "en")[n % 3],
                        steps=({"say": [f"Onde está o {1000 + n}?"], "turns": [turn], "received": [text]},),
                        latency_ms=draw.lognormvariate(5, 0.5),
                        cost_micros=draw.randint(100, 900),
                        expected_intent=meant,
                        intent=meant if draw.random() < sure else "other",
                        confidence=sure,
                        source=f"evals/{suite}/suite.yaml:{n}",
                    )
                )
    return run(results, mode="simulated", epochs=epochs, seed=seed)
