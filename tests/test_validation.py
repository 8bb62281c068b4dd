"""Addresses, sizes, paths, URLs and contacts: accepted forms, refusals, and that no secret is repeated."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from palpo_installer import validation
from palpo_installer.answers import Address
from palpo_installer.errors import AnswersError

ENDS_A_WORD = set(" \t\r\n;{}\"'\\$#`<>|^")
ANY = st.one_of(
    st.text(),
    st.text("/.a-~ \n;{}\"'\\$#%@:=", max_size=30),
    st.text("abc/._-@").map("/{}".format),
    st.text("abc/._-:@[]?&%;'$ #", max_size=30).map("https://{}".format),
    st.text("ab.@-+", max_size=20).map("a@{}.example".format),
)


@settings(deadline=None)
@given(ANY)
def test_what_is_accepted_ends_no_word(text: str) -> None:
    """No accepted path, URL, contact or token holds a character that configuration formats read as theirs."""
    reads: tuple[Callable[[str], object], ...] = (
        validation.path,
        validation.https_url,
        validation.http_url,
        validation.email,
        validation.contact,
        validation.registration_token,
        validation.word,
        validation.address,
    )
    for read in reads:
        try:
            accepted = str(read(text))
        except AnswersError:
            continue
        assert accepted.isascii()
        assert not set(accepted) & ENDS_A_WORD


@settings(deadline=None)
@given(ANY)
def test_an_accepted_path_is_absolute_and_normal(text: str) -> None:
    """What is accepted as a path names the same place after normalisation, below the root."""
    try:
        path = validation.path(text)
    except AnswersError:
        return
    assert str(path) == posixpath.normpath(str(path))
    assert re.match(r"/[^/]", str(path))
    assert validation.path(str(path)) == path


@settings(deadline=None)
@given(st.ip_addresses(), st.integers(1, 65535))
def test_every_address_reads_back(ip: object, port: int) -> None:
    """An address of either family is the same after being written and read."""
    address = Address(str(ip), port)
    assert validation.address(str(address)) == address


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("localhost:8008", "127.0.0.1:8008"),
        ("palpo:8008", "a name may lead somewhere else"),
        ("127.0.0.1", "no address with a port"),
        ("::1:8008", "[::1]:8008"),
        ("[::1]", "no address with a port"),
        ("[127.0.0.1]:8008", "no IP address"),
        ("127.0.0.1:0", "1 to 65535"),
        ("127.0.0.1:08008", "1 to 65535"),
        ("127.0.0.1:8008\n", "1 to 65535"),
        ("127.0.0.01:8008", "no IP address"),
        ("[fe80::1%eth0]:8008", "zone"),
    ],
)
def test_refused_addresses(typed: str, said: str) -> None:
    """An upstream is an IP address with a port, in exactly one notation."""
    with pytest.raises(AnswersError, match=re.escape(said)):
        validation.address(typed)


@pytest.mark.parametrize(
    ("typed", "number"),
    [("16MiB", 16 << 20), ("50M", 50 << 20), ("1GiB", 1 << 30), ("2048 kib", 2 << 20), (16777216, 16 << 20)],
)
def test_sizes(typed: str | int, number: int) -> None:
    """Units count by 1024, as in nginx and systemd; a bare number is bytes; what is shown reads back."""
    assert validation.size(typed) == number
    assert validation.size(validation.shown_size(number)) == number


@settings(deadline=None)
@given(st.integers(1 << 20, 1 << 30))
def test_a_shown_size_loses_nothing(number: int) -> None:
    """Every size in range is the same after being shown and read."""
    assert validation.size(validation.shown_size(number)) == number


@pytest.mark.parametrize("typed", ["", "16MB", "1.5GiB", "-16MiB", "16MiB;", "1KiB", "2GiB", "9" * 400, 0, -5])
def test_refused_sizes(typed: str | int) -> None:
    """Decimal units, fractions, and sizes outside 1 MiB to 1 GiB are refused."""
    with pytest.raises(AnswersError, match=r"GiB|MiB"):
        validation.size(typed)


@pytest.mark.parametrize(
    "url",
    [
        "postgres://palpo:pa%2Fss'\"$;@127.0.0.1:5432/palpo",
        "postgresql://palpo@db_host/palpo?connect_timeout=5",
        "postgres:///palpo?host=/run/postgresql",
        "postgres://palpo:p@[::1]:5432/palpo",
        "postgres://%2Frun%2Fpostgresql/palpo",
        "postgres://palpo:grüße@127.0.0.1/palpo",
    ],
)
def test_database_urls(url: str) -> None:
    """TCP and socket forms are taken as they are, whatever the password is made of."""
    assert validation.database_url(url) == url


@pytest.mark.parametrize(
    "url",
    [
        "mysql://palpo:hunter2@127.0.0.1/palpo",
        "host=127.0.0.1 password=hunter2",
        "postgres://palpo:hunter2@127.0.0.1",
        "postgres://palpo:hunter2@127.0.0.1/",
        "postgres://palpo:hunter2@127.0.0.1/a/b",
        "postgres://palpo:hunter2/x@127.0.0.1/palpo",
        "postgres://palpo:hunter2#x@127.0.0.1/palpo",
        "postgres://palpo:hunter2@x@127.0.0.1/palpo",
        "postgres://palpo:1?hunter2@127.0.0.1/palpo",
        "postgres://palpo:1/2?hunter2@127.0.0.1/palpo",
        "postgres://palpo:hunter2%zz@127.0.0.1/palpo",
        "postgres://palpo:hunter2@127.0.0.1:0/palpo",
        "postgres://palpo:hunter2@127.0.0.1:99999/palpo",
        "postgres://palpo:hunter2@[::1/palpo",
        "postgres://palpo:hunter2@exam\u2100ple/palpo",
        "postgres://palpo:hunter2@127.0.0.1/palpo\n",
        "postgres://palpo:hunter2\x7f@127.0.0.1/palpo",
        "postgres://palpo:hunter2@a|b/palpo",
    ],
)
def test_a_refused_database_url_shows_nothing_of_itself(url: str) -> None:
    """No refusal, nor its cause, repeats a part of the URL: any part may be the password."""
    with pytest.raises(AnswersError) as caught:
        validation.database_url(url)
    error = caught.value
    assert "hunter2" not in str(error)
    assert error.__cause__ is None
    assert error.__suppress_context__ or error.__context__ is None
    assert "postgres://palpo:PASSWORD@" in str(error) or "%2F" in str(error)


@pytest.mark.parametrize(
    "typed",
    [
        "http://example.com",
        "https://",
        "https:///path",
        "https://user:word@example.com/",
        "https://example.com:/",
        "https://example.com:0/",
        "https://example.com:99999/",
        "https://exam ple.com",
        "https://example.com/$uri",
        "https://example.com/a;b",
        "https://example.com/#part",
        "https://[::1",
        "HTTPS://example.com",
        "example.com",
    ],
)
def test_refused_urls(typed: str) -> None:
    """A URL is https, has a host, no credentials, and nothing that a configuration would read as its own."""
    with pytest.raises(AnswersError):
        validation.https_url(typed)


@pytest.mark.parametrize(
    "url",
    ["https://acme-v02.api.letsencrypt.org/directory", "https://localhost:14000/dir", "https://[::1]:14000/dir"],
)
def test_urls_of_authorities(url: str) -> None:
    """Directories of public and of own authorities are URLs."""
    assert validation.https_url(url) == url


def test_only_a_proxy_may_be_plain_http() -> None:
    """An HTTP proxy is reached by http; everything else by https."""
    assert validation.http_url("http://proxy.example.com:3128") == "http://proxy.example.com:3128"


@pytest.mark.parametrize(
    "typed",
    [
        "/",
        "//",
        "etc/palpo",
        "/etc/../x",
        "/etc/..",
        "/a b",
        "/a\nb",
        "/a'b",
        '/a"b',
        "/a$b",
        "/a;b",
        "/a{b",
        "/ü",
        "/a%b",
    ],
)
def test_refused_paths(typed: str) -> None:
    """A path is absolute, does not go up, and is made of ordinary characters."""
    with pytest.raises(AnswersError):
        validation.path(typed)


def test_a_path_is_normalised() -> None:
    """Doubled slashes, dots and a trailing slash go away."""
    assert validation.path("//srv//media/./x/") == Path("/srv/media/x")


@pytest.mark.parametrize("typed", ["admin@example.com", "@admin:example.com", "https://example.com/help"])
def test_contacts(typed: str) -> None:
    """A contact is an e-mail address, a Matrix ID or a page."""
    assert validation.contact(typed) == typed


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("admin", "no e-mail address"),
        ("admin@localhost", "one word"),
        ("a;b@example.com", "no e-mail address"),
        (".a@example.com", "no e-mail address"),
        (f"{'a' * 65}@example.com", "no e-mail address"),
        ("@Admin:example.com", "no Matrix ID"),
        ("@admin", "after the colon"),
        ("http://example.com", "https://"),
    ],
)
def test_refused_contacts(typed: str, said: str) -> None:
    """Each kind of contact is held to its own grammar."""
    with pytest.raises(AnswersError, match=said):
        validation.contact(typed)


def test_registration_tokens() -> None:
    """A token has the characters and length that clients can send."""
    assert validation.registration_token("a.B_9~-") == "a.B_9~-"
    for refused in ("", "a b", "a/b", "a" * 65, "a\n"):
        with pytest.raises(AnswersError, match="1 to 64"):
            validation.registration_token(refused)
