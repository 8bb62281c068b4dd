"""Files, links, names and expectations of a rendered site."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from pathlib import Path

import pytest

from palpo_installer.answers import Address, BaseDomain, Names
from palpo_installer.errors import RefusedPlan
from palpo_installer.layout import Layout
from palpo_installer.matrix_site import build
from palpo_installer.proxies.found import IncludeDirectory, ServerBlock
from tests.proxies.nginx.sites import ANSWERS, ETC, block, direct, nginx, rendered

CONF_D = IncludeDirectory(ETC / "conf.d", "*.conf", ETC / "nginx.conf", 30)
LONG = ".".join(["matrix", *["a" * 48] * 4, "example", "org"])


def secure(*servers: ServerBlock, version: tuple[int, int, int] = (1, 22, 1)) -> str:
    """Return the text of the file for the TLS ports."""
    return rendered(nginx(*servers, version=version)).secure.files[0].text


def test_debian_has_files_and_links() -> None:
    """The files in sites-available, enabled by absolute links, as Debian's own."""
    found = rendered(nginx())
    for part, name in ((found.plain, "zz-palpo-installer-http.conf"), (found.secure, "zz-palpo-installer-tls.conf")):
        assert [file.path for file in part.files] == [ETC / "sites-available" / name]
        assert [link.path for link in part.links] == [ETC / "sites-enabled" / name]
        assert [link.target for link in part.links] == [str(part.files[0].path)]


@pytest.mark.parametrize(("pattern", "suffix"), [("*.conf", ".conf"), ("*", ".conf"), ("*.vhost", ".vhost")])
def test_other_layouts_have_files_only(pattern: str, suffix: str) -> None:
    """In the included directory, with a name that its pattern takes."""
    part = rendered(nginx(include=replace(CONF_D, pattern=pattern))).secure
    assert [file.path for file in part.files] == [ETC / "conf.d" / f"zz-palpo-installer-tls{suffix}"]
    assert part.links == ()


def test_without_a_directory_the_line_to_add_is_named() -> None:
    """And where it goes; the same for a pattern that no name of ours fits."""
    with pytest.raises(RefusedPlan, match="includes no directory") as refusal:
        rendered(replace(nginx(), includes=()))
    assert refusal.value.where == "/etc/nginx/nginx.conf"
    assert "include /etc/nginx/conf.d/*.conf;" in refusal.value.next
    with pytest.raises(RefusedPlan, match="site-") as refusal:
        rendered(nginx(include=replace(CONF_D, pattern="site-*.conf")))
    assert refusal.value.where == "/etc/nginx/nginx.conf:30"


@pytest.mark.parametrize(
    ("names", "listen"),
    [(["matrix.example.com"], "443 ssl"), (["www.example.com", "Example.COM"], "80"), ([".example.com"], "443 ssl")],
)
def test_a_name_that_somebody_has_is_refused(names: list[str], listen: str) -> None:
    """On the same port, as nginx compares names, with file and line."""
    with pytest.raises(RefusedPlan, match=r"example\.com already has a site") as refusal:
        rendered(nginx(block(listen, names=names, line=12)))
    assert refusal.value.where == "/etc/nginx/sites-enabled/neighbour:12"


def test_names_that_are_no_conflict() -> None:
    """Another port, a wildcard, a pattern: exact names come first."""
    theirs = block("443 ssl", names=["*.example.com", "~.*", "_", ""])
    assert rendered(nginx(theirs, block("8443 ssl", names=["example.com"]))).secure.files


def test_our_own_files_are_no_neighbours() -> None:
    """Rendered again over itself the site is the same to the byte, through the link or not."""
    first = rendered(nginx(block("80")))
    for directory in ("sites-enabled", "sites-available"):
        plain = block("80", "[::]:80", names=["example.com"], file=ETC / directory / "zz-palpo-installer-http.conf")
        tls = block(
            "443 ssl http2", "[::]:443 ssl http2", names=["example.com"],
            file=ETC / directory / "zz-palpo-installer-tls.conf",
        )  # fmt: skip
        assert rendered(nginx(block("80"), plain, tls)) == first


def test_a_long_name_is_a_pattern() -> None:
    """46 characters fit nginx's hash of names; a longer one is written so that the hash does not matter."""
    assert "server_name matrix.example.com;" in secure()
    answers = replace(ANSWERS, names=Names("example.com", LONG, BaseDomain.ELSEWHERE))
    text = rendered(nginx(), answers=answers).secure.files[0].text
    (pattern,) = re.findall(r'server_name "~(.*)";', text)
    assert re.search(pattern, LONG)
    assert not re.search(pattern, LONG.replace(".", "x"))
    for name in ("*.example.org", "~^m", ".example.org", "matrix.*"):
        with pytest.raises(RefusedPlan, match="too long for nginx's hash of names"):
            rendered(nginx(block("443 ssl", names=[name])), answers=answers)
    assert rendered(nginx(block("443 ssl", names=["*.example.net", "www.*"])), answers=answers).secure.files


def test_an_ip_address_needs_a_port_of_its_own() -> None:
    """Where a neighbour is the default, TLS without a server name shows the neighbour's certificate."""
    answers = replace(ANSWERS, names=Names("example.com", "203.0.113.5", BaseDomain.ELSEWHERE))
    with pytest.raises(RefusedPlan, match="certificate of the default site"):
        rendered(nginx(block("443 ssl")), answers=answers)
    assert rendered(nginx(block("80")), answers=answers).secure.files


def test_the_marker_is_the_digest_of_the_file_without_itself() -> None:
    """The same site has the same marker, another one another; each part its own."""
    found = rendered(nginx())
    for part in (found.plain, found.secure):
        (marker,) = {expectation.marker for expectation in part.expectations}
        text = part.files[0].text
        assert text.count(marker) == text.count("\nserver {")
        assert hashlib.sha256(text.replace(marker, "").encode()).hexdigest().startswith(marker)
        assert len(marker) == 16
    assert rendered(nginx()) == found
    other = rendered(nginx(), answers=direct())
    assert other.secure.expectations[0].marker != found.secure.expectations[0].marker
    assert other.plain == found.plain


def test_every_address_is_expected_to_show_every_name() -> None:
    """The concrete addresses of the host, with the chain of the virtual host's own certificate."""
    found = rendered(nginx(block("80", "203.0.113.5:443 ssl proxy_protocol")), answers=direct())
    shown = {(each.address, each.port, each.name, each.proxy_protocol) for each in found.secure.expectations}
    addresses = ("203.0.113.5", "2001:db8::5", "127.0.0.1")
    assert shown == {
        ("203.0.113.5", 443, "matrix.example.com", True), ("2001:db8::5", 443, "matrix.example.com", False),
        ("203.0.113.5", 443, "example.com", True), ("2001:db8::5", 443, "example.com", False),
        *((address, 8448, "example.com", False) for address in addresses),
    }  # fmt: skip
    assert all(
        each.certificate is not None and each.certificate.parent.name == each.name for each in found.secure.expectations
    )
    assert {(each.address, each.port, each.certificate) for each in found.plain.expectations} == {
        (address, 80, None) for address in addresses
    }
    assert (found.plain.title, found.secure.title) == ("plain HTTP on port 80", "HTTPS on ports 443, 8448")


def test_http2_in_the_form_the_version_knows() -> None:
    """A listen option, then a directive; not at all where nginx was built without; limits of its own long ago."""
    assert ("http2 on;" in secure(), "ssl http2;" in secure()) == (False, True)
    later = secure(version=(1, 25, 1))
    assert (later.count("http2 on;"), "ssl http2;" in later) == (2, False)
    bare = rendered(replace(nginx(version=(1, 25, 1)), modules=("http_ssl_module",))).secure.files[0].text
    assert "http2" not in bare
    assert "http2_max_field_size 32768;" in secure(version=(1, 18, 0))
    assert "http2_max_field_size" not in secure(version=(1, 20, 0))


def test_shared_things_are_declared_once() -> None:
    """Upstreams, counters and readings, though several server blocks pass requests on."""
    answers = replace(direct(), media=Address("::1", 8000))
    text = rendered(nginx(), answers=answers).secure.files[0].text
    for line in (
        "upstream palpo_installer_127_0_0_1_8008 {",
        "server 127.0.0.1:8008 max_fails=0;",
        "server [::1]:8000 max_fails=0;",
        "zone=palpo_installer_login:10m rate=10r/m;",
        "map $request_uri $palpo_installer_reading_1 {",
    ):
        assert text.count(line) == 1, line
    assert text.count("if ($palpo_installer_reading_1 = closed)") == 16


def test_the_numbers_are_those_of_the_site() -> None:
    """Body limit, header limit, time-outs, keep-alive."""
    site = replace(build(ANSWERS, Layout()), read_timeout=77, keepalive=11, header_limit=4096)
    text = rendered(nginx(), site=site).secure.files[0].text
    for line in ("client_max_body_size 20971520;", "proxy_read_timeout 77s;", "proxy_send_timeout 77s;"):
        assert line in text
    assert "keepalive_timeout 11s;" in text
    assert "large_client_header_buffers 8 4096;" in text


def test_an_upstream_must_be_an_address() -> None:
    """A name may stand for two, one of which nobody listens on."""
    homeserver = replace(ANSWERS.homeserver, upstream=Address("localhost", 8008))
    with pytest.raises(RefusedPlan, match="not an IP address"):
        rendered(nginx(), answers=replace(ANSWERS, homeserver=homeserver))


def test_words_that_would_end_a_directive_are_refused() -> None:
    """In names and in paths."""
    with pytest.raises(RefusedPlan, match="cannot stand in an nginx configuration"):
        rendered(nginx(), answers=replace(ANSWERS, names=Names("example.com", "a;b", BaseDomain.ELSEWHERE)))
    site = build(ANSWERS, Layout(root=Path("/srv/$host")))
    with pytest.raises(RefusedPlan, match="cannot stand in an nginx configuration"):
        rendered(nginx(), site=site)


def test_the_files_say_who_wrote_them_and_how_to_change_them() -> None:
    """In their first lines."""
    for part in (rendered(nginx()).plain, rendered(nginx()).secure):
        heading = part.files[0].text[:400]
        assert heading.startswith("# Written by palpo-installer.\n")
        assert "run palpo-installer again" in heading
        assert "kept unless you choose otherwise" in heading
