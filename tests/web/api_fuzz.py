"""Requests made from the API's own document, right ones and wrong ones: no 500, and every answer as the document says.

Used by tests/web/test_api_fuzz.py (a short, seeded slice over all operations) and ``python -m bench.api_fuzz``.
"""

from __future__ import annotations

import contextlib
import re
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st
from hypothesis.errors import FlakyStrategyDefinition
from schemathesis import Case, GenerationMode
from schemathesis.checks import CHECKS
from schemathesis.core.failures import Failure, FailureGroup

CHECKED = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)
_ORDER = {"GET": 0, "PUT": 1, "PATCH": 2, "POST": 3, "DELETE": 4}


@dataclass
class Campaign:
    """What was asked and what came of it."""

    requests: int = 0
    operations: int = 0
    statuses: dict[str, dict[int, int]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    """The first failure of each operation and kind."""

    def lines(self) -> list[str]:
        """For a person."""
        told = [f"{self.requests} requests to {self.operations} operations, {len(self.failures)} failures"]
        each = sorted(sum(counts.values()) for counts in self.statuses.values())
        if each:
            told.append(
                f"requests per operation: at least {each[0]}, median {statistics.median(each):g}, most {each[-1]}"
            )
        reached = sum(1 for counts in self.statuses.values() if any(status < 300 for status in counts))
        told.append(f"{reached} operations answered with success at least once")
        return told + [f"--- {what}\n{why}" for what, why in sorted(self.failures.items())]


def run_campaign(
    document: dict[str, Any],
    url: str,
    token: str,
    *,
    known: Mapping[str, Sequence[str]],
    seed: int,
    examples: int,
    seconds: float = 600,
    only: str = "",
) -> Campaign:
    """Ask ``examples`` right requests and half as many wrong ones of every operation, within ``seconds``. Blocks.

    First come some of every operation, however slow; then each has an equal share of the time that is left, and what
    one leaves over is the others'.

    ``known``: values that exist, by the place of a path's parameter (``contacts/{contact_id}``); half of the requests
    use one, so that not all of them end with 404. ``only``: a regular expression of operations.
    """
    found, ends = Campaign(), time.monotonic() + seconds
    # Without a key everything is refused, and who tries it often has to wait: that is tested elsewhere.
    schema = schemathesis.openapi.from_dict({**document, "security": []})
    checks = CHECKS.get_by_names(list(CHECKED))
    operations = [result.ok() for result in schema.get_all_operations()]
    operations = [one for one in operations if not only or re.search(only, one.label)]
    operations.sort(key=lambda one: (_ORDER.get(one.method.upper(), 9), one.label))
    found.operations = len(operations)
    jobs = list(_jobs(operations, examples))
    with requests.Session() as session:
        session.trust_env = False
        asking = _Asking(session, url, token, known, checks, seed)
        for place, job in enumerate(jobs):
            now = time.monotonic()
            share = now + (ends - now) / (len(jobs) - place)
            _ask(found, asking, job, ends if job.comes_first else share)
    return found


def _jobs(operations: Sequence[Any], examples: int) -> Iterator[_Job]:
    """The first few of each before the others of any. What deletes comes at the end: the others need what is there."""
    first = min(examples, _FIRST)
    kept = [one for one in operations if one.method.upper() != "DELETE"]
    for group in (kept, [one for one in operations if one not in kept]):
        for place, (right, wrong) in enumerate(((first, 1), (examples - first, (examples + 1) // 2 - 1))):
            for operation in group:
                # Wrong requests are dear to make: many that come out right after all are thrown away.
                for mode, count in ((GenerationMode.POSITIVE, right), (GenerationMode.NEGATIVE, wrong)):
                    if count > 0:
                        yield _Job(operation, mode, count, comes_first=place == 0)


_FIRST = 2
"""The simplest right request of an operation, and one more."""


@dataclass
class _Job:
    """So many requests of an operation, right or wrong ones."""

    operation: Any
    mode: GenerationMode
    count: int
    comes_first: bool


class _TimeUpError(Exception):
    """Ends the making of requests, too: that is most of the work."""


@dataclass
class _Asking:
    """What all questions of a campaign share."""

    session: requests.Session
    url: str
    token: str
    known: Mapping[str, Sequence[str]]
    checks: Any
    seed: int


def _ask(found: Campaign, asking: _Asking, job: _Job, until: float) -> None:
    operation = job.operation
    counts = found.statuses.setdefault(operation.label, {})

    @seeded(asking.seed + (not job.comes_first))
    @settings(
        max_examples=job.count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
    )
    @given(case=operation.as_strategy(generation_mode=job.mode), drawn=st.data())
    def ask(case: Case, drawn: st.DataObject) -> None:
        if time.monotonic() > until:
            raise _TimeUpError
        for place, values in asking.known.items():
            name = place.rpartition("{")[2].rstrip("}")
            if place in operation.path and name in (case.path_parameters or ()):
                # The first one exists: the rest is drawn. What is drawn must not depend on what was answered before.
                exists, value = drawn.draw(st.booleans()), drawn.draw(st.sampled_from(list(values)))
                if exists or (job.comes_first and not counts):
                    case.path_parameters[name] = value
        headers = {"Authorization": f"Bearer {asking.token}"}
        response = case.call(base_url=asking.url, session=asking.session, headers=headers, timeout=60)
        found.requests += 1
        counts[response.status_code] = counts.get(response.status_code, 0) + 1
        try:
            case.validate_response(response, checks=asking.checks)
        except (Failure, FailureGroup) as error:
            for one in getattr(error, "exceptions", [error]):
                what = f"{operation.label} {response.status_code} {type(one).__name__}"
                sent = response.request
                body = (sent.body or b"")[:600]
                found.failures.setdefault(
                    what,
                    f"{one}\nsent: {sent.method} {sent.url}\n{body!r}\n{dict(sent.headers)}\n"
                    f"got: {response.content[:600]!r}",
                )

    try:
        with contextlib.suppress(FlakyStrategyDefinition):
            return ask()
        # Hypothesis draws from constants of all modules that are loaded, and the server loads some at its first calls.
        ask()
    except _TimeUpError:
        pass
    except Exception as error:  # schemathesis found no value of the kind, or the connection broke: told, not hidden
        if "Unsatisfiable" not in type(error).__name__:
            found.failures.setdefault(f"{operation.label} {job.mode.value} {type(error).__name__}", str(error)[:800])
