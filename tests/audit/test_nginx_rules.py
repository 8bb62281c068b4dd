"""Every rule about nginx: what it finds, on which line, and that its cure is one."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from palpo_installer.audit.finding import Severity
from palpo_installer.facts.names import ServiceRecord
from palpo_installer.homeserver.reading import values
from tests.audit.made import SERVER, SITE, SOUND, audited, certify, host_with, rules, trapped
from tests.facts.made import START

PASS = "proxy_pass http://127.0.0.1:8008;"
FEDERATION = "    listen [::]:443 ssl http2;\n    server_name matrix.example.com;"
CLIENT = "location = /.well-known/matrix/client"
TYPE = "        default_type application/json;\n        add_header"
OWN_8448 = trapped((FEDERATION, f"    listen 8448 ssl;\n    listen [::]:8448 ssl;\n{FEDERATION}"))
RECORDS = (ServiceRecord(10, 0, 8448, "matrix.example.com"),)

CASES: dict[str, tuple[tuple[str, str], ...]] = {
    "decoded-target": ((PASS, "proxy_pass http://127.0.0.1:8008/;"),),
    "rewritten-target": ((f"        {PASS}", f"        rewrite ^/_matrix/(.*) /_matrix/$1 break;\n        {PASS}"),),
    "several-peers": ((PASS, "proxy_pass http://localhost:8008;"),),
    "unix-socket": ((PASS, "proxy_pass http://unix:/run/palpo.sock;"),),
    "segment-boundary": (("location /_matrix/", "location /_matrix"),),
    "forwarded-for": (("X-Forwarded-For $remote_addr", "X-Forwarded-For $proxy_add_x_forwarded_for"),),
    "client-headers": (('        proxy_set_header X-Real-IP "";\n', ""),),
    "host-header": (("$http_host", "$host:$server_port"),),
    "doubled-cors": ((PASS, f'add_header Access-Control-Allow-Origin "*";\n        {PASS}'),),
    "upload-limit": (("    client_max_body_size 16m;\n", ""),),
    "read-timeout": (("        proxy_read_timeout 300s;\n", ""),),
    "header-limit": (("    large_client_header_buffers 8 32k;\n", ""),),
    "http2-missing": ((" http2;", ";"),),
    "http2-unknown": (("    client_max_body_size", "    http2 on;\n    client_max_body_size"),),
    "kept-connections": (
        (PASS, "proxy_pass http://palpo;"),
        (
            "server {\n    listen 80;",
            "upstream palpo {\n    server 127.0.0.1:8008;\n    keepalive 8;\n}\nserver {\n    listen 80;",
        ),
    ),
    "well-known-invalid": (('"https://matrix.example.com"}}', '"https://matrix.example.com"},}'),),
    "well-known-cors": (('        add_header Access-Control-Allow-Origin "*" always;\n', ""),),
    "well-known-type": ((TYPE, "        add_header"),),
    "well-known-two-types": ((TYPE, "        add_header Content-Type application/json;\n        add_header"),),
    "well-known-redirect": (
        (
            """return 200 '{"m.homeserver":{"base_url":"https://matrix.example.com"}}';""",
            "return 302 https://x.example/c;",
        ),
    ),
    "well-known-bogus": (('{"m.homeserver":', '{"m.server":"x","m.homeserver":'),),
    "well-known-portless": (("matrix.example.com:443", "matrix.example.com"),),
    "admin-exposed": (("location /_matrix/ {", "location ~ ^/_(matrix|palpo|synapse)/ {"),),
    "admin-through-dots": (
        ("        if ($request_uri !~ ^/_(matrix|palpo/client)(/|\\?|$)) {\n            return 404;\n        }\n", ""),
    ),
    "everything-passed-on": (("location /_matrix/", "location /"),),
    "merge-slashes-off": (
        (
            "    client_max_body_size",
            "    merge_slashes off;\n    location /_palpo/admin { return 404; }\n    client_max_body_size",
        ),
    ),
    "federation-default-server": (
        (FEDERATION, f"    listen 8448 ssl default_server;\n    listen [::]:8448 ssl;\n{FEDERATION}"),
    ),
    "federation-port-missing": (("matrix.example.com:443", "matrix.example.com:8448"),),
    "federation-one-family": ((FEDERATION, f"    listen 8448 ssl;\n{FEDERATION}"),),
    "certificate-name": (("live/matrix.example.com", "live/example.com"),),
    "certificate-unusable": (("/etc/letsencrypt/live/matrix.example.com/fullchain.pem", "/etc/hosts"),),
    "challenge-swallowed": (
        (
            "    location / {\n        return 301 https://$host$request_uri;\n    }\n",
            "    return 301 https://$host$request_uri;\n",
        ),
    ),
}
"""By rule, what brings its trap into sites without one."""


@pytest.mark.parametrize("rule", CASES)
def test_a_trap_is_found_where_it_stands(tmp_path: Path, rule: str) -> None:
    """The rule finds it, says what and why, and its line is one of the lines that make it, or the block's."""
    found = audited(host_with(tmp_path, trapped(*CASES[rule])))
    finding = next(each for each in found.findings if each.rule == rule)
    assert finding.file == tmp_path / SITE[1:]
    assert finding.what
    assert finding.why
    assert finding.cure
    assert 1 <= finding.line <= len(trapped(*CASES[rule]).splitlines())


def test_sites_without_a_trap_have_no_finding(tmp_path: Path) -> None:
    """Hand-written sites that are as they should be: the other tests would be worth nothing otherwise."""
    found = audited(host_with(tmp_path, SERVER))
    assert found.findings == ()
    assert found.unread == ()
    assert len(found.read) == 3
    assert values(SOUND.encode())["server_name"] == "example.com"


@pytest.mark.parametrize(
    ("rule", "text", "lines"),
    [
        ("decoded-target", PASS, ("proxy_pass http://127.0.0.1:8008;",)),
        ("read-timeout", PASS, ("proxy_read_timeout 300s;",)),
        ("forwarded-for", "X-Forwarded-For", ("proxy_set_header X-Forwarded-For $remote_addr;",)),
        ("challenge-swallowed", "return 301", ("location / {", "    return 301 https://$host$request_uri;", "}")),
    ],
)
def test_place_and_cure_are_exact(tmp_path: Path, rule: str, text: str, lines: tuple[str, ...]) -> None:
    """The line is that of the directive, and the lines of the cure can be copied."""
    written = trapped(*CASES[rule])
    finding = next(each for each in audited(host_with(tmp_path, written)).findings if each.rule == rule)
    expected = text.partition(" ")[0] if rule == "decoded-target" else text
    assert expected in written.splitlines()[finding.line - 1]
    assert finding.lines == lines


@pytest.mark.parametrize(
    ("uri", "found"),
    [("", False), ("/", True), ("/_matrix/", True), ("$request_uri", False), ("$uri$is_args$args", True)],
)
def test_only_what_changes_a_target_is_a_decoded_target(tmp_path: Path, uri: str, found: bool) -> None:
    """As measured: a path and ``$uri`` do, nothing and ``$request_uri`` do not; also through a variable."""
    for edits in (
        ((PASS, f"proxy_pass http://127.0.0.1:8008{uri};"),),
        ((PASS, f"set $there http://127.0.0.1:8008;\n        proxy_pass $there{uri};"),),
    ):
        assert ("decoded-target" in rules(audited(host_with(tmp_path, trapped(*edits))))) is found


def test_localhost_with_one_address_is_weaker(tmp_path: Path) -> None:
    """It works until the host has IPv6."""
    host = host_with(tmp_path, trapped(*CASES["several-peers"]), etc__hosts="127.0.0.1 localhost\n")
    assert [(each.rule, each.severity) for each in audited(host).findings] == [("localhost", Severity.WEAKENS)]


def test_a_name_that_cannot_be_resolved_is_said(tmp_path: Path) -> None:
    """It is not taken for one address."""
    found = audited(host_with(tmp_path, trapped((PASS, "proxy_pass http://palpo.internal:8008;"))))
    assert [each.subject for each in found.unread] == ["the name palpo.internal"]


def test_headers_are_inherited_as_nginx_does(tmp_path: Path) -> None:
    """Those of the server are in force until a location has one of its own: then none of them is."""
    above = "    proxy_set_header X-Forwarded-For $remote_addr;\n    proxy_set_header X-Forwarded-Proto https;\n"
    rest = trapped(
        ("        proxy_set_header X-Forwarded-For $remote_addr;\n", ""), ("    client_max", f"{above}    client_max")
    )
    assert "forwarded-for" in rules(audited(host_with(tmp_path, rest)))


def test_the_federation_port_needs_the_certificate_of_the_server_name(tmp_path: Path) -> None:
    """Where SRV records lead to it; and a document of the server name would shadow them."""
    found = audited(host_with(tmp_path, OWN_8448), services=RECORDS)
    assert rules(found) == ["well-known-shadows-srv"]
    undelegated = trapped(("""return 200 '{"m.server":"matrix.example.com:443"}';""", "return 404;"), text=OWN_8448)
    found = audited(host_with(tmp_path, undelegated), services=RECORDS)
    assert rules(found) == ["federation-certificate"]
    (finding,) = found.findings
    assert "matrix.example.com" in finding.what
    assert "other servers ask for example.com (an SRV record)" in finding.what
    cured = undelegated.replace(
        "server {\n    listen 80;",
        "server {\n    listen 8448 ssl;\n    listen [::]:8448 ssl;\n    server_name example.com;\n"
        "    ssl_certificate /etc/letsencrypt/live/example.com/fullchain.pem;\n"
        "    ssl_certificate_key /etc/letsencrypt/live/example.com/privkey.pem;\n}\nserver {\n    listen 80;",
    )
    assert "federation-certificate" not in rules(audited(host_with(tmp_path, cured), services=RECORDS))


def test_a_document_on_the_wrong_host(tmp_path: Path) -> None:
    """Served for the client host, asked at the server name."""
    moved = trapped(
        ("    server_name example.com;", "    server_name SOON;"),
        ("    server_name matrix.example.com;\n    ssl", "    server_name example.com;\n    ssl"),
        ("SOON", "matrix.example.com"),
    )
    found = audited(host_with(tmp_path, moved))
    assert rules(found).count("well-known-misplaced") == 2


@pytest.mark.parametrize(
    ("version", "text", "rule"),
    [((1, 26, 0), SERVER, "http2-deprecated"), ((1, 26, 0), SERVER.replace(" http2;", ";"), "http2-missing")],
)
def test_http2_by_version(tmp_path: Path, version: tuple[int, int, int], text: str, rule: str) -> None:
    """The form of one version is a warning, or nothing, in another."""
    assert set(rules(audited(host_with(tmp_path, text), version=version))) == {rule}


def test_other_sites_are_nobody_s_business(tmp_path: Path) -> None:
    """A site that passes everything on to another program has every trap, and is not Matrix's."""
    shop = "server { listen 80; server_name shop.example; location / { proxy_pass http://localhost:3000/; } }"
    assert audited(host_with(tmp_path, SERVER + shop)).findings == ()


def test_restricted_administration_is_no_finding(tmp_path: Path) -> None:
    """Who lets only some addresses in has thought of it."""
    admin = "location /_synapse/ { deny all; proxy_pass http://127.0.0.1:8008; }\n    location /_matrix/ {"
    assert "admin-exposed" not in rules(audited(host_with(tmp_path, trapped(("location /_matrix/ {", admin)))))


def test_certificates_that_others_refuse(tmp_path: Path) -> None:
    """Expired, of another key, and the leaf alone where the whole chain lies beside it."""
    host = host_with(tmp_path, SERVER)
    live = host.layout.at("/etc/letsencrypt/live")
    assert rules(audited(host, START + timedelta(days=91))) == ["certificate-expired"] * 2
    (live / "example.com/privkey.pem").write_bytes((live / "matrix.example.com/privkey.pem").read_bytes())
    assert rules(audited(host)) == ["certificate-key"]
    certify(host, "example.com")
    leaf = live / "matrix.example.com/cert.pem"
    leaf.write_bytes((live / "matrix.example.com/fullchain.pem").read_bytes())
    alone = trapped(("live/matrix.example.com/fullchain.pem", "live/matrix.example.com/cert.pem"))
    host.layout.at(SITE).write_text(alone)
    found = audited(host)
    assert rules(found) == ["certificate-chain"]
    assert found.findings[0].lines == ("ssl_certificate /etc/letsencrypt/live/matrix.example.com/fullchain.pem;",)


def test_a_document_in_the_webroot_counts_too(tmp_path: Path) -> None:
    """A file that nginx finds below its root is served as octets and without CORS, as on a plain Debian."""
    files = trapped(
        (
            SERVER[SERVER.index("    location = /.well-known/matrix/client") : SERVER.index("}\nserver")],
            "    root /srv;\n",
        )
    )
    host = host_with(
        tmp_path,
        files,
        srv__known__matrix__client='{"m.homeserver":{"base_url":"https://matrix.example.com"}}',
        srv__known__matrix__server='{"m.server":"[2001:db8::1]"}',
    )
    move = host.layout.at("/srv/known")
    move.rename(move.with_name(".well-known"))
    assert sorted(set(rules(audited(host)))) == [
        "federation-port-missing",
        "well-known-cors",
        "well-known-portless",
        "well-known-type",
    ]


def test_palpo_s_own_document_shadows_srv_too(tmp_path: Path) -> None:
    """It always answers, so passing it on for the server name ends the search for SRV records."""
    passing = trapped(
        (
            """        default_type application/json;\n        return 200 '{"m.server":"matrix.example.com:443"}';""",
            "        proxy_pass http://127.0.0.1:8008;",
        ),
        text=OWN_8448,
    )
    assert "well-known-shadows-srv" in rules(audited(host_with(tmp_path, passing), services=RECORDS))
    assert "well-known-shadows-srv" not in rules(audited(host_with(tmp_path, passing), services=()))
