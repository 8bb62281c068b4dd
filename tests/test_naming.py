"""Server names and host names: what is accepted, what is refused, and what is said about it."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from palpo_installer.errors import AnswersError
from palpo_installer.naming import hidden_character, host_name, is_literal, server_name

GRAMMAR = re.compile(r"(?:\[[0-9a-f:.]{2,45}\]|[a-z0-9.-]{1,255})(?::[0-9]{1,5})?")
"""Matrix specification, appendices, "Server Name", in lower case."""

NAME_LIKE = st.one_of(
    st.text(),
    st.text("abcxyz019-.:[]_ABÜß\u0430яﬃ。\u200d\u00ad; \n\"'{}\\$#%/@*", max_size=40),
    st.builds(
        "{}{}".format,
        st.lists(st.from_regex(r"[a-z0-9äßяあ-]{1,8}", fullmatch=True), min_size=1, max_size=4).map(".".join),
        st.sampled_from(["", ":8448", ":0", ":65536", ":08448", ":", ":٣"]),
    ),
    st.ip_addresses().map(lambda address: f"[{address}]" if address.version == 6 else str(address)),
)


def refusal(read: Callable[[str], str], text: str) -> str:
    """Return what is said against a text, empty where it is accepted."""
    try:
        read(text)
    except AnswersError as error:
        return str(error)
    return ""


@settings(deadline=None)
@given(NAME_LIKE)
@example("xn--bcher-kva.example")
@example("0x7f.0x1")
@example("example.com:8448\n")
def test_accepted_server_names_are_safe_and_final(text: str) -> None:
    """Whatever is accepted has the grammar, is its own normal form, and cannot end a word in any format."""
    try:
        name = server_name(text)
    except AnswersError:
        return
    assert GRAMMAR.fullmatch(name)
    assert len(name) <= 230
    assert server_name(name) == name
    assert not set(name) & set(" \t\r\n;{}\"'\\$#`()<>|&%*?,=/@!~^")
    host = name if is_literal(name) else name.partition(":")[0]
    assert "." in host or host.startswith("[")


@settings(deadline=None)
@given(NAME_LIKE)
def test_accepted_host_names_are_dns_names(text: str) -> None:
    """A host name has at least two LDH labels of at most 63 characters, no port, and no all-digit end."""
    try:
        name = host_name(text)
    except AnswersError:
        return
    labels = name.split(".")
    assert len(labels) >= 2
    assert len(name) <= 253
    assert all(re.fullmatch(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", label) for label in labels)
    assert not labels[-1].isdigit()
    assert host_name(name) == name


@settings(deadline=None)
@given(NAME_LIKE)
@example("a..b")
@example("...")
def test_a_refusal_is_one_line_that_can_be_shown(text: str) -> None:
    """A refusal never carries a character that a terminal would obey, whatever was typed."""
    for said in (refusal(server_name, text), refusal(host_name, text)):
        assert not hidden_character(said.replace(" ", ""))


@pytest.mark.parametrize(
    "name",
    [
        "example.com",
        "matrix.example.com:8448",
        "192.0.2.1",
        "192.0.2.1:8448",
        "[2001:db8::1]",
        "[2001:db8::1]:443",
        "1and1.example",
        "a.b.c.d.example.test",
        "xn--bcher-kva.example",
    ],
)
def test_ordinary_server_names_stay_as_they_are(name: str) -> None:
    """Names, literals and ports of the specification's examples are taken unchanged."""
    assert server_name(name) == name


@pytest.mark.parametrize(
    ("typed", "ascii_form"),
    [
        ("bücher.example", "xn--bcher-kva.example"),
        ("faß.de", "xn--fa-hia.de"),
        ("bu\u0308cher.example:8448", "xn--bcher-kva.example:8448"),
        ("例え.テスト", "xn--r8jz45g.xn--zckzah"),
        ("пример.рф", "xn--e1afmkfd.xn--p1ai"),
    ],
)
def test_international_names_become_ascii(typed: str, ascii_form: str) -> None:
    """UTS #46 without transition: sharp s stays itself; composed and decomposed letters are one name."""
    assert server_name(typed) == ascii_form


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("", "Type a name"),
        ("https://example.com", "Leave out everything up to ://"),
        ("@me:example.com", "Type only what stands after it"),
        ("example.com/", "from the first / on"),
        ("*.example.com", "whole name"),
        ("my_host.example.com", "Use a hyphen"),
        ("example.com.", "Type example.com"),
        (".example.com", "nothing before one of its dots"),
        ("example..com", "nothing before one of its dots"),
        ("Example.com", "Type example.com"),
        ("\uff45xample.com", "Type example.com"),
        ("example。com", "Type example.com"),
        (" example.com", "space"),
        ("example.com\n", "not seen"),
        ("exam\u200bple.com", "zero width space"),
        ("example\u202e.com", "right-to-left override"),
        ("exam\u00adple.com", "soft hyphen"),
        ("localhost", "one word"),
        ("matrix", "matrix.example.com"),
        ("matrix.localhost", "no other host"),
        ("matrix.invalid", "no other host"),
        ("-a.example.com", "hyphen"),
        ("a-.example.com", "hyphen"),
        ("ab--cd.example.com", "third and fourth"),
        ("xn--a.example.com", "no international host name"),
        (f"{'a' * 64}.example.com", "63"),
        (f"{'a.' * 120}example.com", "230"),
        (f"{'a.' * 130}example.com", "253"),
        ("☃.example.com", "no international host name"),
        ("exam;ple.com", "; cannot stand"),
        ("p\u0430ypal.com", "Cyrillic and Latin"),
        ("xn--pypal-4ve.com", "Cyrillic and Latin"),
        ("example.com:", "port after the colon"),
        ("example.com:0", "port after the colon"),
        ("example.com:65536", "port after the colon"),
        ("example.com:08448", "without zeros"),
        ("example.com:٣", "port after the colon"),
        ("2001:db8::1", "brackets"),
        ("[2001:db8::1", "brackets"),
        ("[2001:DB8::1]", "Type [2001:db8::1]"),
        ("[fe80::1%eth0]", "no other host"),
        ("127.0.0.1", "no other host"),
        ("[::1]:8448", "no other host"),
        ("192.0.2", "no complete IP address"),
        ("192.0.2.256", "no complete IP address"),
        ("example.0x10", "no complete IP address"),
    ],
)
def test_a_refused_server_name_says_what_to_type(typed: str, said: str) -> None:
    """Each common mistake is named, with what to type instead."""
    with pytest.raises(AnswersError) as caught:
        server_name(typed)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("matrix.example.com:443", "Type matrix.example.com"),
        (":443", "port"),
        ("192.0.2.1", "IP address is not a name"),
        ("192.0.2.1:80", "IP address is not a name"),
        ("[2001:db8::1]", "IP address is not a name"),
        ("2001:db8::1", "IP address is not a name"),
        ("https://matrix.example.com", "Leave out"),
    ],
)
def test_a_host_name_is_neither_address_nor_port(typed: str, said: str) -> None:
    """Clients need a name in DNS: addresses and ports are refused."""
    with pytest.raises(AnswersError, match=re.escape(said)):
        host_name(typed)


def test_scripts_that_belong_together_are_one_word() -> None:
    """Japanese writes Latin, kana and kanji in one word (UTS #39, highly restrictive)."""
    assert server_name("abcテスト漢字.jp") == "xn--abc-7k4bocn9737efd7a.jp"


@pytest.mark.parametrize("read", [server_name, host_name])
def test_a_very_long_text_is_refused_before_it_costs_anything(read: Callable[[str], str]) -> None:
    """The length is checked before any table of international names is searched."""
    with pytest.raises(AnswersError, match="253"):
        read("ä" * 1_000_000 + ".example.com")
