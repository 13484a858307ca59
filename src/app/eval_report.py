"""A run as one HTML file that needs nothing else: no network, no server. Drawn from the web app's own templates."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Final

from markupsafe import Markup

from evaluation.report import make_report
from web.application import rendering

if TYPE_CHECKING:
    from evaluation.comparison import Comparison
    from evaluation.gates import Verdict
    from evaluation.results import Run

_SCRIPTS: Final = ("theme.js", "report.js")


def write_html(run: Run, comparison: Comparison | None, verdict: Verdict, path: Path, *, language: str = "en") -> None:
    """Write the report, replacing the file as a whole. ``language``: of its own words, ``pt``, ``es`` or ``en``.

    Only our own two scripts may run in it (by their hashes), whatever a transcript holds.
    """
    report = make_report(run, comparison, verdict)
    assets, pages = rendering()
    theme, script = (assets.text(name) for name in _SCRIPTS)
    style = assets.text("report.css")
    policy = (
        "default-src 'none'; base-uri 'none'; form-action 'none'; "
        f"script-src {_hash(theme)} {_hash(script)}; style-src {_hash(style)}"
    )
    text = pages.document(
        language,
        "evals/static.html",
        view=report.view,
        packs=[Markup(base64.b64encode(pack).decode()) for pack in report.packs],  # noqa: S704 - no mark-up in base64
        packs_from="",
        policy=Markup(policy),  # noqa: S704 - ours, whole
        style=Markup(style),  # noqa: S704 - our own file, as are the next two
        theme_script=Markup(theme),  # noqa: S704
        report_script=Markup(script),  # noqa: S704
    )
    whole = path.with_name(path.name + ".part")
    whole.write_text(text, encoding="utf-8")
    whole.replace(path)


def _hash(content: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"
