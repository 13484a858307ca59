"""Opening hours as people of each language write them, and what is none."""

from __future__ import annotations

import pytest

from flows.attendance_declaration import HoursDeclaration
from flows.opening_hours import WEEKDAYS, HoursForm, read_form
from flows.refusals import RefusedError


def monday(text: str) -> tuple[str, ...]:
    form = HoursForm("America/Sao_Paulo", {WEEKDAYS[0]: text})
    return tuple(read_form(form, HoursDeclaration()).weekly.get(WEEKDAYS[0], ()))


@pytest.mark.parametrize(
    ("written", "spans"),
    [
        ("09:00-12:00, 13:30-18:00", ("09:00-12:00", "13:30-18:00")),
        ("das 8h às 12h e das 14h às 18h", ("08:00-12:00", "14:00-18:00")),
        ("8h30 às 18hs", ("08:30-18:00",)),
        ("de 9 a 18 hs", ("09:00-18:00",)),
        ("desde las 9 hasta las 18", ("09:00-18:00",)),
        ("8am to 6pm", ("08:00-18:00",)),
        ("9:30 am – 6 p.m.", ("09:30-18:00",)),
        ("1-6pm", ("13:00-18:00",)),
        ("9-6pm", ("09:00-18:00",)),
        ("12am-12pm", ("00:00-12:00",)),
        ("24h", ("00:00-24:00",)),
        ("fechado", ()),
        ("Closed", ()),
        ("", ()),
    ],
)
def test_that_hours_are_read_as_people_write_them(written: str, spans: tuple[str, ...]) -> None:
    assert monday(written) == spans


@pytest.mark.parametrize("written", ["8-8", "25-26", "9am-13pm", "18-9", "9:70-10", "abc", "9", "9-12, 11-18"])
def test_that_what_is_no_time_of_day_is_refused_by_name(written: str) -> None:
    with pytest.raises(RefusedError):
        monday(written)
