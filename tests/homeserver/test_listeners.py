"""The rule for ``[[listeners]]``."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from palpo_installer.errors import RefusedPlan
from palpo_installer.homeserver.listeners import overlap, place
from tests.homeserver.made import merged, said

LOCAL = "127.0.0.1:8008"
TLS = {"cert": "/a", "key": "/b"}


def placed(address: str, *listeners: Mapping[str, object]) -> list[dict[str, object]]:
    """Return the listeners after an address was placed among them."""
    entries = [dict(listener) for listener in listeners]
    place(entries, address, lambda new: {"address": new})
    return entries


@pytest.mark.parametrize(
    ("first", "second", "answer"),
    [
        ("127.0.0.1:8008", "127.0.0.1:8008", True),
        ("127.0.0.1:8008", "127.0.0.1:8009", False),
        ("127.0.0.1:8008", "10.0.0.1:8008", False),
        ("0.0.0.0:8008", "127.0.0.1:8008", True),
        ("0.0.0.0:8008", "[::1]:8008", False),
        ("[::]:8008", "127.0.0.1:8008", True),
        ("[::]:8008", "[::1]:8008", True),
        ("[::]:8008", "0.0.0.0:8008", True),
        ("[::1]:8008", "127.0.0.1:8008", False),
        ("localhost:8008", "127.0.0.1:8008", True),
        ("localhost:8008", "0.0.0.0:8008", True),
    ],
)
def test_which_addresses_cannot_be_bound_at_once(first: str, second: str, answer: bool) -> None:
    """As Linux has it, where ``::`` takes IPv4 as well; in either order."""
    assert overlap(first, second) is answer
    assert overlap(second, first) is answer


def test_the_default_gives_way_and_other_listeners_stay() -> None:
    """Nobody chose 0.0.0.0:8008, written or by leaving the address out; what somebody chose is theirs."""
    own = {"address": "10.0.0.1:8448", "tls": TLS}
    assert placed(LOCAL, {"address": "0.0.0.0:8008"}, own) == [{"address": LOCAL}, own]
    assert placed("127.0.0.1:9000", own, {}) == [own, {"address": "127.0.0.1:9000"}]


def test_a_listener_that_is_there_stays_as_it_is() -> None:
    """Its other keys and its place among the others are kept."""
    there = {"address": LOCAL, "x_forwarded": True}
    assert placed(LOCAL, {"address": "10.0.0.1:1"}, there) == [{"address": "10.0.0.1:1"}, there]


def test_an_address_that_is_missing_is_added() -> None:
    """An empty list would leave Palpo without any."""
    assert placed(LOCAL) == [{"address": LOCAL}]
    assert placed(LOCAL, {"address": "10.0.0.1:1"}) == [{"address": "10.0.0.1:1"}, {"address": LOCAL}]


def test_what_cannot_be_bound_beside_the_address_gives_way() -> None:
    """Palpo ends when one of its addresses is in use already, by itself too."""
    assert placed(LOCAL, {"address": "[::]:8008"}) == [{"address": LOCAL}]
    assert placed("[::]:8008", {"address": "[::1]:8008"}, {"address": LOCAL}) == [{"address": "[::]:8008"}]
    assert placed(LOCAL, {"address": "0.0.0.0:8008"}, {"address": LOCAL, "a": 1}) == [{"address": LOCAL, "a": 1}]


def test_a_listener_in_the_way_that_speaks_tls_is_refused_by_its_number() -> None:
    """The proxy talks plain HTTP to Palpo, and whoever uses the TLS listener would lose it."""
    with pytest.raises(RefusedPlan, match="speaks TLS") as caught:
        placed(LOCAL, {"address": "10.0.0.1:1"}, {"address": "0.0.0.0:8008", "tls": TLS})
    assert "number 2" in caught.value.where
    assert placed(LOCAL, {"address": LOCAL, "tls": {"enable": False}})[0]["address"] == LOCAL
    kept = {"address": "0.0.0.0:8008", "tls": TLS}
    assert placed("127.0.0.1:9000", kept) == [kept, {"address": "127.0.0.1:9000"}]


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        (b"", [LOCAL]),
        (b"listeners = []\n", [LOCAL]),
        (b'listeners = [{ address = "10.0.0.1:1" }] # mine\n', ["10.0.0.1:1", LOCAL]),
        (b'[[listeners]]\naddress = "10.0.0.1:1"\n\n[turn]\nttl = 1\n', ["10.0.0.1:1", LOCAL]),
        (b'[[listeners]]\naddress = "[::]:8008"\n[turn]\n[[listeners]]\naddress = "10.0.0.1:1"\n', None),
    ],
)
def test_the_file_keeps_its_form_of_the_list(text: bytes, addresses: list[str] | None) -> None:
    """Tables, inline tables and none; what TOML does not allow is refused, not rewritten."""
    if addresses is None:
        with pytest.raises(RefusedPlan):
            merged(text)
        return
    listeners = said(merged(text))["listeners"]
    assert isinstance(listeners, list)
    assert [listener["address"] for listener in listeners] == addresses
    assert (b"# mine" in text) == (b"# mine" in merged(text))
