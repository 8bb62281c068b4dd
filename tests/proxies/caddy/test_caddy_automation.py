"""Certificates that Caddy orders for sites: found in its storage, and shown by a second site of the same name."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from palpo_installer.answers import BaseCertificate, BaseDomain, Delegation, Method
from palpo_installer.certificates import authority
from palpo_installer.certificates.site import of_site
from palpo_installer.facts import certificates
from palpo_installer.host import Host
from palpo_installer.layout import Layout
from palpo_installer.matrix_site import build
from palpo_installer.proxies.assignment import Assignment
from palpo_installer.proxies.base import Rendering
from palpo_installer.proxies.caddy import automation, storage
from palpo_installer.proxies.caddy.adapter import CaddyAdapter
from palpo_installer.proxies.caddy.configuration import Caddy, Options
from palpo_installer.proxies.found import Listen, ServerBlock
from tests.facts.made import START, certificate
from tests.proxies.caddy.test_caddy_reading import parsed
from tests.proxies.caddy.test_caddy_rendering import CADDY, FILE, ISSUER, site_of
from tests.proxies.nginx.sites import ANSWERS, HOST

NAME = "example.com"
NOW = START + timedelta(days=1)
SITE = site_of(NAME, 443, "0.0.0.0", "ssl")
REDIRECT = replace(site_of(NAME, 80, "0.0.0.0"), implied=True)


def keep(root: Path, issuer: str, name: str = NAME) -> Path:
    """Let Caddy have a certificate of an authority; return its chain."""
    chain = root / f"caddy/certificates/{issuer}/{name}/{name}.crt"
    certificate(name).write(chain, chain.with_suffix(".key"))
    return chain


@pytest.fixture
def caddy(tmp_path: Path) -> Caddy:
    """A Caddy with a website that gets its certificate by itself, and with that certificate."""
    keep(tmp_path, "ca.example-dir")
    directory = str(tmp_path / "caddy")
    servers = automation.with_certificates(Host(Layout(tmp_path)), (SITE, REDIRECT), Options(), directory)
    return replace(CADDY, servers=servers, storage=directory)


def test_the_certificate_that_was_issued_last_is_the_one_shown(tmp_path: Path) -> None:
    """Of several authorities; Caddy's own one is none, nor is a file with no certificate in it."""
    directory, host = str(tmp_path / "caddy"), Host(Layout(tmp_path))
    assert storage.newest(host, directory, NAME) is None
    local = keep(tmp_path, "local")
    assert storage.newest(host, directory, NAME) is None
    older = keep(tmp_path, "a.example")
    found = storage.newest(host, directory, NAME)
    assert found is not None
    assert found.chain == older
    newer = keep(tmp_path, "z.example")
    newer.write_bytes(authority.issue(NAME, Layout(tmp_path)).chain.read_bytes())
    keep(tmp_path, "zz.example").write_text("none")
    found = storage.newest(host, directory, NAME)
    assert found is not None
    assert (found.chain, found.key) == (newer, newer.with_suffix(".key"))
    assert storage.holds(directory, local)
    assert not storage.holds("", local)
    assert not storage.holds(directory, tmp_path / "other.crt")


def test_sites_with_files_or_without_tls_and_caddys_own_redirects_get_none(tmp_path: Path) -> None:
    """Nor does any where Caddy orders nothing."""
    chain = str(keep(tmp_path, "ca.example-dir"))
    directory, host = str(tmp_path / "caddy"), Host(Layout(tmp_path))
    files = replace(SITE, certificates=("/c.pem",), keys=("/c.key",))
    plain = site_of(NAME, 80, "0.0.0.0")
    given = (SITE, files, plain, REDIRECT)
    found = automation.with_certificates(host, given, Options(), directory)
    assert [each.certificates for each in found] == [(chain,), ("/c.pem",), (), ()]
    assert found[0].keys == (chain.replace(".crt", ".key"),)
    assert automation.with_certificates(host, given, Options(auto_https="disable_certs"), directory) == given
    assert automation.with_certificates(host, given, Options(), "") == given


@pytest.mark.parametrize(
    ("tls", "particular"),
    [
        ("", ()),
        ("tls /a.pem /a.key", ()),
        ("tls {\n\t\tprotocols tls1.3\n\t\tclient_auth {\n\t\t\tmode request\n\t\t}\n\t}", ()),
        ("tls admin@example.com", ("a.example", "b.example")),
        ("tls internal", ("a.example", "b.example")),
        ("tls {\n\t\tissuer acme\n\t}", ("a.example", "b.example")),
        ("tls {\n\t\ton_demand\n\t}", ("a.example", "b.example")),
    ],
)
def test_what_keeps_a_certificate_to_its_site(tmp_path: Path, tls: str, particular: tuple[str, ...]) -> None:
    """All that a tls directive says of how it is ordered, and nothing of what it says of connections."""
    _, found = parsed(tmp_path, f"a.example, https://B.example:8443 {{\n\t{tls}\n}}\n")
    assert found.particular == particular


def lent(caddy: Caddy) -> Rendering:
    """Return the files for a website of somebody else's whose certificate other servers are shown."""
    answers = replace(
        ANSWERS,
        names=replace(ANSWERS.names, base_domain=BaseDomain.EXISTING),
        federation=replace(ANSWERS.federation, delegation=Delegation.SRV),
        certificates=replace(
            ANSWERS.certificates,
            method=Method.PROXY,
            directory=ISSUER.directory,
            base_domain=BaseCertificate.SITE,
        ),
    )
    adapter, site = CaddyAdapter(caddy), build(answers, Layout())
    known = certificates.read(Host(), (caddy,), lambda _: None)
    own, why = of_site(caddy, known, NAME, 443, NOW)
    assert own is not None
    assert why == ""
    client = adapter.kept("matrix.example.com", ISSUER)
    files = {"matrix.example.com": client, NAME: replace(client, chain=own.chain)}
    return adapter.render(Assignment(site, HOST, Layout(), files))


def test_a_lent_certificate_is_named_nowhere_and_expected_everywhere(caddy: Caddy) -> None:
    """Caddy shows, at the port for other servers, what it orders for the site; plain HTTP leads where it led."""
    found = lent(caddy)
    (secure,) = found.secure.files
    (before, after) = secure.text.split("https://example.com:8448 {")
    assert before.count("issuer acme {") == 1
    assert "\ttls" not in after
    chains = {each.certificate for each in found.secure.expectations if each.port == 8448}
    assert chains == {Path(caddy.servers[0].certificates[0])}
    (plain,) = found.plain.files
    assert (
        "http://example.com:80 {\n\tbind 0.0.0.0\n\theader Location https://{host}{uri}\n\trespond 308 {" in plain.text
    )


@pytest.mark.parametrize(
    ("servers", "options"),
    [
        ((SITE, site_of(NAME, 80, "::")), Options()),
        ((SITE, REDIRECT), Options(auto_https="disable_redirects")),
        ((replace(SITE, listens=(Listen("::", 8443, ("ssl",), FILE, 3),)),), Options()),
    ],
)
def test_names_that_caddy_does_not_lead_from_plain_http(
    servers: tuple[ServerBlock, ...], options: Options, caddy: Caddy
) -> None:
    """With a site of their own there, with redirects switched off, or without one on the usual port of TLS."""
    assert automation.led_by_caddy(NAME, caddy.servers, Options())
    assert not automation.led_by_caddy(NAME, servers, options)


def test_why_a_certificate_cannot_be_lent(caddy: Caddy) -> None:
    """Its site says itself how it is ordered; or there is none yet."""
    known, now = certificates.read(Host(), (caddy,), lambda _: None), NOW
    found, why = of_site(replace(caddy, particular=(NAME,)), known, NAME, 443, now)
    assert found is not None
    assert "global options" in why
    missing = replace(caddy, servers=(SITE,))
    assert of_site(missing, (), NAME, 443, now) == (None, f"{FILE}:3 names no file of one, and Caddy keeps none for it")
