"""Identities on WhatsApp."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.whatsapp.ids import Jid, canonical_phone, jid_of, parse_jid, phone_of
from domain.errors import InvalidInputError
from domain.messages import Address, AddressKind

digits = st.text("0123456789", min_size=7, max_size=15)
people = st.sampled_from(["s.whatsapp.net", "c.us", "lid", "hosted", "hosted.lid"])
devices = st.integers(0, 99)
jids = st.builds(Jid, digits, people, devices, st.sampled_from([0, 0, 1])) | st.builds(
    Jid, st.from_regex(r"[0-9]{10,18}(-[0-9]{10})?", fullmatch=True), st.sampled_from(["g.us", "newsletter"])
)
area_codes = st.integers(11, 99).map(str)


@given(jids)
def test_that_a_jid_survives_being_written_and_read(jid: Jid) -> None:
    assert parse_jid(str(jid)) == jid


@given(jids)
def test_that_every_device_of_a_person_has_the_person_s_address(jid: Jid) -> None:
    assert jid.address() == jid.bare().address()
    assert jid.bare().device == 0


@given(jids)
def test_that_replying_to_an_address_reaches_the_same_address(jid: Jid) -> None:
    address = jid.address()
    if address is not None:
        assert jid_of(address).address() == address


@given(digits)
def test_that_the_digits_of_a_lid_are_never_a_phone_number(user: str) -> None:
    address = parse_jid(f"{user}:4@lid").address()
    assert address == Address(AddressKind.LID, user)
    assert phone_of(address) is None


@given(area_codes, st.from_regex(r"[6-9][0-9]{7}", fullmatch=True))
def test_that_a_brazilian_mobile_has_one_spelling_with_and_without_its_ninth_digit(area: str, local: str) -> None:
    assert canonical_phone(f"55{area}{local}") == canonical_phone(f"+55 ({area}) 9{local}") == f"+55{area}9{local}"


@given(area_codes, st.from_regex(r"[2-5][0-9]{7}", fullmatch=True))
def test_that_a_brazilian_landline_never_gets_a_ninth_digit(area: str, local: str) -> None:
    assert canonical_phone(f"55{area}{local}") == f"+55{area}{local}"


@given(digits.filter(lambda text: not text.startswith("0")))
def test_that_a_canonical_phone_number_is_its_own_canonical_form(text: str) -> None:
    assert canonical_phone(canonical_phone(text)) == canonical_phone(text)


def test_that_the_address_keeps_the_digits_as_whatsapp_returned_them() -> None:
    address = parse_jid("554490000784:2@s.whatsapp.net").address()
    assert address == Address(AddressKind.PHONE, "554490000784")
    assert phone_of(address) == "+5544990000784"


@pytest.mark.parametrize("text", ["status@broadcast", "120363000000000000@newsletter", "s.whatsapp.net"])
def test_that_what_is_no_chat_has_no_address(text: str) -> None:
    assert parse_jid(text).address() is None


@pytest.mark.parametrize("text", ["", "@", "5511@", "a b@lid", "5511:x@lid", "5511@s.whatsapp.net\n", "x@EVIL.example"])
def test_that_text_which_is_no_jid_is_refused(text: str) -> None:
    with pytest.raises(InvalidInputError):
        parse_jid(text)


@pytest.mark.parametrize(
    "text", ["", "12345", "1234567890123456", "011 99000-1111", "5511 9900O-1111", "५५११९९०००११११"]
)
def test_that_text_which_is_no_phone_number_is_refused(text: str) -> None:
    with pytest.raises(InvalidInputError):
        canonical_phone(text)


def test_that_an_address_of_another_channel_is_refused() -> None:
    with pytest.raises(InvalidInputError):
        jid_of(Address(AddressKind.SIMULATOR, "maria"))
