"""Codes, addresses and the rendezvous: what people and strangers put in."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsp_cam.call.address import Address, check_server, read_address
from lsp_cam.call.codes import Code, Place, code_of, read_code
from lsp_cam.call.mailbox import Mailbox
from lsp_cam.call.rendezvous import BURST, KEPT_S, MAX_ROOMS, Rooms, create_rendezvous
from lsp_cam.errors import CallError, UsageError
from tests.daemon.serving import serving

PLACES = (Place("192.0.2.7", 4242), Place("2001:db8::1", 9, "srflx"))
OFFER = Code("offer", "abcd", "p" * 22, bytes(range(32)), PLACES)
ANSWER = Code("answer", "efgh", "q" * 22, bytes(32), PLACES[:1])


def test_a_code_is_short_and_says_all() -> None:
    assert len(OFFER.text()) < 160
    assert read_code(f"> {OFFER.text()[:40]}\n> {OFFER.text()[40:]}", "offer") == OFFER
    assert code_of(OFFER.sdp(), "offer") == OFFER


@pytest.mark.parametrize("text", ["", "hello", "LSP1-", "LSP1-!!!!", "LSP1-" + "A" * 900, OFFER.text()[:-3]])
def test_what_is_no_code_is_refused(text: str) -> None:
    with pytest.raises(CallError, match=r"code"):
        read_code(text)


def test_any_changed_character_is_noticed() -> None:
    text = OFFER.text()
    for at in range(6, len(text) - 1):
        with pytest.raises(CallError):
            read_code(text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :])


def test_ones_own_code_is_not_the_other_sides() -> None:
    with pytest.raises(CallError, match="not your own"):
        read_code(OFFER.text(), "answer")


@pytest.mark.parametrize("host", ["224.0.0.1", "0.0.0.0", "255.255.255.255", "example.org"])
def test_groups_and_names_are_no_places(host: str) -> None:
    assert code_of(OFFER.sdp().replace("192.0.2.7", host), "offer").places == PLACES[1:]


@given(st.text(max_size=300))
def test_any_text_is_a_code_or_refused(text: str) -> None:
    for given_text in (text, "LSP1-" + text):
        with pytest.raises(CallError):
            read_code(given_text)


def test_an_address_seals_codes_against_the_rendezvous() -> None:
    address = Address("http://127.0.0.1:8470")
    assert read_address(address.text()) == address
    sealed = address.seal(OFFER)
    assert address.open(sealed, "offer") == OFFER
    assert OFFER.text().encode() not in sealed
    for stranger, kind in ((Address(address.server), "offer"), (address, "answer")):
        with pytest.raises(CallError, match="without the secret"):
            stranger.open(sealed, kind)
    with pytest.raises(CallError, match="without the secret"):
        address.open(sealed[:-1] + bytes([sealed[-1] ^ 1]), "offer")


@pytest.mark.parametrize("text", ["", "nowhere", "http://a/#short", "ftp://a/#" + "A" * 22, "http://a/b#" + "A" * 22])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        read_address(text)


def test_a_server_may_be_named_shortly() -> None:
    assert check_server("localhost:8470") == "http://localhost:8470"
    assert check_server("https://[::1]:1/") == "https://[::1]:1"


def test_two_sides_meet_and_strangers_do_not_disturb() -> None:
    rooms = Rooms()
    with serving(lambda port: create_rendezvous(rooms)) as port:
        address = Address(f"http://127.0.0.1:{port}")
        with Mailbox(address) as one, Mailbox(address) as other:
            assert other.find("offer") is None
            with pytest.raises(CallError, match="did not take"):
                other.leave(ANSWER)
            one.leave(OFFER)
            with pytest.raises(CallError, match="did not take"):
                one.leave(OFFER)
            assert other.find("offer") == OFFER
            rooms.leave(address.room, "answer", b"from somebody who guessed the room")
            other.leave(ANSWER)
            assert one.wait("answer", threading.Event(), 20) == ANSWER
            answer = one._http.put("/offer", content=b"x" * 1025)
            assert answer.status_code in (409, 413)


def test_nobody_there_says_what_to_do() -> None:
    with Mailbox(Address("http://127.0.0.1:9")) as mailbox, pytest.raises(CallError, match="cannot be reached"):
        mailbox.find("offer")


def test_the_rendezvous_is_bounded_and_forgets() -> None:
    now_s = 0.0
    rooms = Rooms(lambda: now_s)
    for number in range(MAX_ROOMS + 50):
        rooms.leave(f"{number:032x}", "offer", b"x")
    assert len(rooms) == MAX_ROOMS
    asked = [rooms.may_ask("192.0.2.1") for _ in range(100)]
    assert sum(asked) == BURST
    assert rooms.may_ask("192.0.2.2")
    assert [rooms.may_ask(f"2001:db8::{n:x}") for n in range(100)].count(True) == BURST, "a household is one"
    now_s = KEPT_S + 1
    assert rooms.take(f"{1:032x}", "offer") is None
    assert len(rooms) == 0
    assert rooms.may_ask("192.0.2.1")
