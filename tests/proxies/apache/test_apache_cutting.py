"""Leaving what a file has for port 80 out of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from palpo_installer.operations.rests import without
from palpo_installer.proxies.apache.cutting import cuts
from palpo_installer.proxies.apache.reading import ANY_PORT
from palpo_installer.proxies.found import ServerBlock
from palpo_installer.proxies.virtual_hosts import Impossible
from tests.proxies.apache.apaches import listen, virtual_host

PLAIN = b"<VirtualHost *:80>\n  ServerName a.example\n</VirtualHost>\n"
SECURE = b"<IfModule mod_ssl.c>\n<VirtualHost *:443>\n  SSLEngine on\n</VirtualHost>\n</IfModule>\n"


def rest(data: bytes, *blocks: ServerBlock) -> bytes:
    """Return what is left of a file without port 80."""
    found = cuts(data, blocks, 80)
    assert not isinstance(found, Impossible), found.reason
    return without(data, found)


def test_a_virtual_host_of_its_own_goes_with_its_lines() -> None:
    """What stands around it stays, and so does one of another port; the last line may have no end."""
    plain, secure = virtual_host(listen(80), line=2), virtual_host(listen(443), line=6)
    assert rest(b"# mine\n" + PLAIN + SECURE, plain, secure) == b"# mine\n" + SECURE
    assert rest(SECURE + PLAIN.rstrip(), replace(secure, line=2), replace(plain, line=6)) == SECURE
    assert rest(SECURE, replace(secure, line=2)) == SECURE


def test_one_for_both_loses_an_address() -> None:
    """Also that of a second family."""
    data = b"<VirtualHost *:80 [::1]:80 *:443>\n  ServerName a.example\n</VirtualHost>\n"
    both = virtual_host(listen(80), listen(443))
    assert rest(data, both) == b"<VirtualHost   *:443>\n  ServerName a.example\n</VirtualHost>\n"


REFUSED = {
    "says what Apache listens on": (b"Listen 80\n" + PLAIN, virtual_host(listen(80), line=2)),
    "names no port": (b"<VirtualHost *>\n</VirtualHost>\n", virtual_host(listen(80, "::", ANY_PORT))),
    "no virtual host begins here": (b"<VirtualHost *:80>\n", virtual_host(listen(80))),
    "cannot be left out": (PLAIN.replace(b"  Ser", b"</VirtualHost> \\\n Ser"), virtual_host(listen(80))),
}


@pytest.mark.parametrize(("reason", "data", "block"), [(why, *given) for why, given in REFUSED.items()])
def test_what_cannot_be_told_apart_is_said(reason: str, data: bytes, block: ServerBlock) -> None:
    """For a person to do it."""
    found = cuts(data, (block,), 80)
    assert isinstance(found, Impossible)
    assert reason in found.reason
