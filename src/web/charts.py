"""Charts of eval reports as inline SVG: no script, no style attributes, colours by class from report.css."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from markupsafe import Markup

_WIDE: Final = 320
_HIGH: Final = 200
_LEFT: Final = 44
_BOTTOM: Final = 26
_TOP: Final = 8


@dataclass(frozen=True, slots=True)
class _Axis:
    """Where on the drawing a value from ``low`` to ``high`` stands."""

    start: float
    end: float
    low: float = 0.0
    high: float = 1.0

    def __call__(self, value: float) -> float:
        return self.start + (value - self.low) / ((self.high - self.low) or 1.0) * (self.end - self.start)


def interval(rate: float | None, low: float, high: float, tone: str) -> Markup:
    """A share with its interval from 0 to 1. ``tone``: ``a`` (candidate) or ``b``. Its figures stand beside it."""
    if rate is None:
        return Markup("")
    return Markup(
        '<svg class="ev-interval ev-tone-{}" viewBox="0 0 124 12" aria-hidden="true">'
        '<line class="ev-track" x1="2" x2="122" y1="6" y2="6"/><line class="ev-whisker" x1="{}" x2="{}" y1="6" y2="6"/>'
        '<circle class="ev-dot" cx="{}" cy="6" r="3.5"/></svg>'
    ).format(tone, _at(low), _at(high), _at(rate))


def difference(value: float, low: float, high: float, reach: float, tone: str) -> Markup:
    """A difference with its interval around zero; the line ends at ``reach`` on both sides."""
    reach = reach or 1.0

    def at(one: float) -> str:
        return f"{62 + 60 * max(-1.0, min(1.0, one / reach)):.1f}"

    return Markup(
        '<svg class="ev-interval ev-tone-{}" viewBox="0 0 124 12" aria-hidden="true">'
        '<line class="ev-track" x1="2" x2="122" y1="6" y2="6"/><line class="ev-zero" x1="62" x2="62" y1="0" y2="12"/>'
        '<line class="ev-whisker" x1="{}" x2="{}" y1="6" y2="6"/><circle class="ev-dot" cx="{}" cy="6" r="3.5"/></svg>'
    ).format(tone, at(low), at(high), at(value))


def reliability(series: Sequence[tuple[str, Sequence[Mapping[str, Any]]]], title: str, across: str, up: str) -> Markup:
    """A reliability diagram: what confidence promised against how often it was right, each bin with its count.

    ``series``: tone and bins (``confidence``, ``right``, ``count``).
    """
    size, largest = 260, max((one["count"] for _, bins in series for one in bins), default=1)
    x, y = _Axis(_LEFT, size - 12), _Axis(size - _BOTTOM, _TOP)
    parts = [
        Markup('<svg class="ev-chart" viewBox="0 0 {0} {0}" role="img" aria-label="{1}">').format(size, title),
        *_grid(
            [(x(share), f"{share:.0%}") for share in (0, 0.5, 1)],
            [(y(share), f"{share:.0%}") for share in (0, 0.5, 1)],
            size,
            size,
        ),
        Markup('<line class="ev-diagonal" x1="{}" y1="{}" x2="{}" y2="{}"/>').format(x(0), y(0), x(1), y(1)),
    ]
    for tone, bins in series:
        points = " ".join(f"{x(one['confidence']):.1f},{y(one['right']):.1f}" for one in bins)
        parts.append(Markup('<g class="ev-tone-{}"><polyline class="ev-line" points="{}"/>').format(tone, points))
        parts += [
            Markup('<circle class="ev-point" cx="{:.1f}" cy="{:.1f}" r="{:.1f}"><title>{}</title></circle>').format(
                x(one["confidence"]),
                y(one["right"]),
                2.5 + 6 * (one["count"] / largest) ** 0.5,
                f"{one['confidence']:.0%} → {one['right']:.0%} ({one['count']})",
            )
            for one in bins
        ]
        parts.append(Markup("</g>"))
    parts.append(_captions(across, up, size, size))
    return Markup("").join([*parts, Markup("</svg>")])


def histogram(found: Mapping[str, Any], tones: Mapping[str, str], title: str, across: str, by: float = 1.0) -> Markup:
    """Counts per bin of each series, over one another: the first filled, others as outlines. ``by``: unit divisor."""
    series = found["series"]
    highest = max((count for one in series.values() for count in one["counts"]), default=1) or 1
    bins = len(next(iter(series.values()))["counts"])
    step = (_WIDE - _LEFT - 8) / bins
    y = _Axis(_HIGH - _BOTTOM, _TOP, 0, highest)
    ticks = [
        (_LEFT, found["low"]),
        ((_LEFT + _WIDE - 8) / 2, (found["low"] + found["high"]) / 2),
        (_WIDE - 8, found["high"]),
    ]
    parts = [
        Markup('<svg class="ev-chart" viewBox="0 0 {} {}" role="img" aria-label="{}">').format(_WIDE, _HIGH, title),
        *_grid(
            [(at, _tick(value / by)) for at, value in ticks], [(y(0), "0"), (y(highest), str(highest))], _WIDE, _HIGH
        ),
    ]
    for label, one in series.items():
        edges = [f"M{_LEFT:.1f} {y(0):.1f}"]
        for position, count in enumerate(one["counts"]):
            left = _LEFT + position * step
            edges.append(f"L{left:.1f} {y(count):.1f}L{left + step:.1f} {y(count):.1f}")
        edges.append(f"L{_WIDE - 8:.1f} {y(0):.1f}")
        parts.append(Markup('<path class="ev-area ev-tone-{}" d="{}"/>').format(tones.get(label, "c"), "".join(edges)))
    parts.append(_captions(across, "", _WIDE, _HIGH))
    return Markup("").join([*parts, Markup("</svg>")])


def _tick(value: float) -> str:
    """To three digits that count, and never with an exponent: 1070, 0.00012."""
    return f"{Decimal(f'{value:.3g}'):f}"


def history(points: Sequence[Mapping[str, Any]], title: str) -> Markup:
    """Pass rates over time, oldest first, each with its interval. ``points``: ``rate``, ``low``, ``high``, ``hint``."""
    wide, high = 380, 150
    lowest = min(0.9, *(one["low"] for one in points)) if points else 0.0
    lowest = max(0.0, (lowest * 10 // 1) / 10)
    x = _Axis(_LEFT, wide - 8, -0.5, len(points) - 0.5)
    y = _Axis(high - _BOTTOM, _TOP, lowest, 1)
    shares = (lowest, (1 + lowest) / 2, 1.0)
    parts = [
        Markup('<svg class="ev-chart ev-tone-a" viewBox="0 0 {} {}" role="img" aria-label="{}">').format(
            wide, high, title
        ),
        *_grid([], [(y(share), f"{share:.0%}") for share in shares], wide, high),
        Markup('<polyline class="ev-line" points="{}"/>').format(
            " ".join(f"{x(place):.1f},{y(one['rate']):.1f}" for place, one in enumerate(points))
        ),
    ]
    for place, one in enumerate(points):
        parts.append(
            Markup(
                '<line class="ev-whisker" x1="{0:.1f}" x2="{0:.1f}" y1="{1:.1f}" y2="{2:.1f}"/>'
                '<circle class="ev-dot" cx="{0:.1f}" cy="{3:.1f}" r="3.5"><title>{4}</title></circle>'
            ).format(x(place), y(one["low"]), y(one["high"]), y(one["rate"]), one["hint"])
        )
    return Markup("").join([*parts, Markup("</svg>")])


def bars(days: Sequence[tuple[str, int, str]], title: str, unit: str) -> Markup:
    """Figures per day, the oldest first. ``days``: as people call them, with the figure, and the figure as text;
    colours in admin.css."""
    wide, high = 640, 170
    highest, highest_told = max(((figure, told) for _, figure, told in days), default=(0, ""))
    step = (wide - _LEFT - 8) / max(len(days), 1)
    y = _Axis(high - _BOTTOM, _TOP, 0, highest or 1)
    parts = [
        Markup('<svg class="chart-bars" viewBox="0 0 {} {}" role="img" aria-label="{}">').format(wide, high, title),
        *(
            Markup(
                '<line x1="{}" x2="{}" y1="{:.1f}" y2="{:.1f}"/><text x="{}" y="{:.1f}" text-anchor="end">{}</text>'
            ).format(_LEFT, wide - 8, y(value), y(value), _LEFT - 5, y(value) + 3.5, told)
            for value, told in ((0, "0"), (highest, highest_told))
        ),
    ]
    for place, (day, figure, told) in enumerate(days):
        left = _LEFT + place * step
        parts.append(
            Markup('<rect x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"><title>{}</title></rect>').format(
                left + 1, y(figure), max(step - 2, 1), y(0) - y(figure), f"{day}: {told} {unit}"
            )
        )
        if place % 7 == len(days) % 7:
            parts.append(Markup('<text x="{:.1f}" y="{}">{}</text>').format(left, high - _BOTTOM + 14, day))
    return Markup("").join([*parts, Markup("</svg>")])


def _at(share: float) -> str:
    return f"{2 + 120 * share:.1f}"


def _grid(across: Sequence[tuple[float, str]], up: Sequence[tuple[float, str]], wide: int, high: int) -> list[Markup]:
    lines = [
        Markup(
            '<line class="ev-grid" x1="{}" x2="{}" y1="{:.1f}" y2="{:.1f}"/><text class="ev-tick" x="{}" y="{:.1f}" '
            'text-anchor="end">{}</text>'
        ).format(_LEFT, wide - 8, at, at, _LEFT - 5, at + 3.5, words)
        for at, words in up
    ]
    return lines + [
        Markup('<text class="ev-tick" x="{:.1f}" y="{}" text-anchor="{}">{}</text>').format(
            at, high - _BOTTOM + 13, "middle" if place else "start", words
        )
        if place < len(across) - 1
        else Markup('<text class="ev-tick" x="{:.1f}" y="{}" text-anchor="end">{}</text>').format(
            at, high - _BOTTOM + 13, words
        )
        for place, (at, words) in enumerate(across)
    ]


def _captions(across: str, up: str, wide: int, high: int) -> Markup:
    found = Markup('<text class="ev-caption" x="{}" y="{}" text-anchor="middle">{}</text>').format(
        (wide + _LEFT) / 2, high - 2, across
    )
    if up:
        found += Markup(
            '<text class="ev-caption" transform="translate(9 {}) rotate(-90)" text-anchor="middle">{}</text>'
        ).format((high - _BOTTOM) / 2, up)
    return found
