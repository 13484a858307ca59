"""Rendering: one Jinja environment per language, and what every template may use."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from gettext import NullTranslations
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_datetime, format_time, get_timezone
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse

from flows.refusals import RefusedError
from web import charts, labels
from web.assets import Assets
from web.carried import carried
from web.devices import device
from web.differences import diffed
from web.figures import Figures
from web.file_labels import captioned, file_size, file_type
from web.i18n import BABEL_LOCALES, HTML_LANGUAGES, LANGUAGES, choose_language, load_catalogue
from web.marks import marked
from web.menu import current, menu
from web.passages import flowing
from web.reason_labels import ReasonDetails
from web.told_lines import ToldLines

TEMPLATES = Path(__file__).parent / "templates"
LANGUAGE_COOKIE = "atende_language"
THEME_COOKIE = "atende_theme"
THEMES = ("auto", "light", "dark")


class Pages:
    """Renders templates in the visitor's language."""

    def __init__(self, assets: Assets) -> None:
        self._assets = assets
        self._environments: dict[str, Environment] = {}
        self._icons = frozenset(re.findall(r'<symbol id="([^"]+)"', assets.text("vendor/icons.svg")))

    def render(self, request: Request, template: str, *, status: int = 200, **context: Any) -> HTMLResponse:
        """A page or fragment. Reads language and theme from the request, and the visitor if one was recognised."""
        return HTMLResponse(self.text(request, template, **context), status, {"Vary": "HX-Request, Cookie"})

    def text(self, request: Request, template: str, **context: Any) -> str:
        """The rendered text of a template."""
        visitor = getattr(request.state, "visitor", None)
        language = self.language(request)
        theme = request.cookies.get(THEME_COOKIE, "auto")
        return (
            self._in(language)
            .get_template(template)
            .render(
                visitor=visitor,
                csrf_token=visitor.csrf_token() if visitor else "",
                language=language,
                html_language=HTML_LANGUAGES[language],
                languages=LANGUAGES,
                theme=theme if theme in THEMES else "auto",
                path=request.url.path,
                **context,
            )
        )

    def document(self, language: str, template: str, **context: Any) -> str:
        """A text for a file instead of a browser: nobody asked for it, nobody is signed in."""
        known = language if language in LANGUAGES else next(iter(LANGUAGES))
        return self._in(known).get_template(template).render(html_language=HTML_LANGUAGES[known], **context)

    def said(self, request: Request, error: RefusedError) -> str:
        """What cannot be accepted, in the reader's language. Plain text: it may hold what was typed."""
        return load_catalogue(self.language(request)).gettext(error.template) % error.values

    def language(self, request: Request) -> str:
        """The language of this request's answer."""
        visitor = getattr(request.state, "visitor", None)
        return choose_language(
            chosen=request.cookies.get(LANGUAGE_COOKIE),
            preferred=visitor.locale if visitor else None,
            accepted=request.headers.get("accept-language", ""),
            fallback=visitor.tenant_locale if visitor else None,
        )

    def words(self, language: str) -> Callable[[str], str]:
        """The language's ``gettext``, for a name that is stored."""
        return load_catalogue(language).gettext

    def _in(self, language: str) -> Environment:
        # Made when first asked for: reading a catalogue takes longer than the rest of the start.
        if language not in self._environments:
            self._environments[language] = self._environment(language)
        return self._environments[language]

    def _environment(self, language: str) -> Environment:
        catalogue = load_catalogue(language)
        environment = Environment(
            loader=FileSystemLoader(TEMPLATES),
            autoescape=select_autoescape(default=True, default_for_string=True),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            extensions=["jinja2.ext.i18n"],
        )
        environment.install_gettext_callables(  # type: ignore[attr-defined]
            catalogue.gettext, catalogue.ngettext, newstyle=True
        )
        label, figures = labeller(catalogue), Figures(BABEL_LOCALES[language])
        environment.globals.update(asset=self._assets.url, icon=self._icon, labels=labels, label=label, charts=charts)
        environment.globals.update(menu=menu, current_page=current)
        environment.filters.update(Moments(BABEL_LOCALES[language]).filters())
        environment.filters.update(figures.filters())
        environment.filters["moment"] = datetime.fromisoformat
        environment.filters["pretty"] = _pretty
        environment.filters["device"] = device
        environment.filters["initials"] = labels.initials
        environment.filters["file_type"] = file_type
        environment.filters["captioned"] = captioned
        environment.filters["flowing"] = flowing
        environment.filters["filesizeformat"] = partial(file_size, locale=BABEL_LOCALES[language])
        environment.filters["told"] = ToldLines(catalogue, figures)
        environment.filters["detailed"] = ReasonDetails(catalogue, label, figures)
        environment.filters["marked"] = marked
        environment.filters["diffed"] = diffed
        environment.filters["carried"] = carried
        environment.filters["tint"] = labels.tint
        return environment

    def _icon(self, name: str, extra: str = "") -> Markup:
        if name not in self._icons:
            raise KeyError(f"there is no icon {name!r} in vendor/icons.svg")
        return Markup('<svg class="icon {}" aria-hidden="true"><use href="{}#{}"/></svg>').format(
            extra, self._assets.url("vendor/icons.svg"), name
        )


def _pretty(value: Any) -> str:
    """JSON for reading, escaped by the template like any other text."""
    return json.dumps(value, ensure_ascii=False, indent=2)


def labeller(catalogue: NullTranslations) -> Callable[[str, str], Any]:
    def label(table: str, key: str) -> Any:
        """A value's entry in one of the tables of ``labels``, its words translated; an unknown value is its own words.

        Plain text, which the template escapes: ``_`` would take whatever it is given for safe.
        """
        entries: dict[str, Any] = getattr(labels, table)
        entry = entries.get(key)
        if isinstance(entry, str):
            return catalogue.gettext(entry)
        if entry is None:
            spare = entries.get("unknown", next(iter(entries.values()), ""))
            return key if isinstance(spare, str) else (key, *spare[1:])
        return (catalogue.gettext(entry[0]), *entry[1:])

    return label


class Moments:
    """Times as a person of this language writes them. Every filter takes an aware time and the tenant's zone."""

    def __init__(self, locale: str) -> None:
        self._locale = locale

    def filters(self) -> dict[str, Any]:
        return {
            "clock": self.clock,
            "day": self.day,
            "brief": self.brief,
            "full": self.full,
            "until": self.until,
            "elapsed": self.elapsed,
        }

    def clock(self, at: datetime, zone: ZoneInfo) -> str:
        """18:05"""
        return format_time(at, "short", tzinfo=get_timezone(zone.key), locale=self._locale)

    def day(self, at: datetime, zone: ZoneInfo) -> str:
        """sexta-feira, 21 de novembro"""
        local = at.astimezone(zone)
        same_year = local.year == datetime.now(zone).year
        if same_year:
            return format_date(
                local,
                {"pt_BR": "EEEE, d 'de' MMMM", "es": "EEEE, d 'de' MMMM"}.get(self._locale, "EEEE, MMMM d"),
                self._locale,
            )
        return format_date(local, "long", self._locale)

    def brief(self, at: datetime, zone: ZoneInfo) -> str:
        """The shortest form that is still clear: a time today, a weekday this week, else a date."""
        local, now = at.astimezone(zone), datetime.now(zone)
        if local.date() == now.date():
            return self.clock(at, zone)
        if 0 < (now.date() - local.date()).days < 7:
            return format_date(local, "EEE", self._locale)
        return format_date(local, "short", self._locale)

    def until(self, at: datetime, zone: ZoneInfo) -> str:
        """A time today, else a date with its time: for what is to come."""
        if at.astimezone(zone).date() == datetime.now(zone).date():
            return self.clock(at, zone)
        return format_datetime(at, "short", tzinfo=get_timezone(zone.key), locale=self._locale)

    def full(self, at: datetime, zone: ZoneInfo) -> str:
        """Date and time to the second, for a tooltip."""
        return format_datetime(at, "medium", tzinfo=get_timezone(zone.key), locale=self._locale)

    def elapsed(self, since: datetime) -> str:
        """How long ago, in the largest sensible unit: 40 s, 7 min, 3 h, 2 d."""
        seconds = max(0, int((datetime.now(UTC) - since).total_seconds()))
        for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
            if seconds >= size:
                return f"{seconds // size} {unit}"
        return f"{seconds} s"


def pages(request: Request) -> Pages:
    """The application's renderer."""
    renderer: Pages = request.app.state.pages
    return renderer
