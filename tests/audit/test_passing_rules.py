"""Every measured trap of Apache, HAProxy and Caddy: what is found, on which line, and that its cure is one."""

from __future__ import annotations

from pathlib import Path

import pytest

from palpo_installer.audit import media_passing, passing_rules
from palpo_installer.audit.finding import Trap
from tests.audit.made import SOUND, trapped
from tests.audit.made_proxies import APACHE, CADDY, HAPROXY, judged

TEXTS = {"apache": APACHE, "haproxy": HAPROXY, "caddy": CADDY}

PASS = "    ProxyPass /_matrix http://127.0.0.1:8008/_matrix nocanon\n"
FRONT = "    use_backend palpo if client matrix\n"
MEDIA = "    ProxyPass /_matrix/media http://127.0.0.1:8000/_matrix/media nocanon\n"
TO_MEDIA = "    use_backend media if { path_beg /_matrix/media/ }\n"
FAMILIES = "    use_backend media if client { path_reg ^/_matrix/((client|federation)/v1/)?media(/|$) }\n"
REPOSITORY = "backend media\n    server media 127.0.0.1:8000\n"
NOT_MATRIX = "    http-request return status 404 unless matrix\n"
OFF = trapped(("[rc_login]\nper_second = 1.0", "[rc_login]\nper_second = 0.0"), text=SOUND)

APACHE_CASES: dict[str, tuple[str, tuple[str, str], str]] = {
    "ProxyPass without nocanon": ("decoded-target", (PASS, PASS.replace(" nocanon", "")), PASS),
    "RewriteRule with [P]": (
        "rewritten-target",
        (PASS, '    RewriteRule "^/_matrix(.*)" "http://127.0.0.1:8008/_matrix$1" [P,L]\n'),
        PASS,
    ),
    "ProxyPass to a URL with a slash": (
        "rewritten-target",
        (PASS, PASS.replace("8008/_matrix", "8008/")),
        PASS,
    ),
    "AllowEncodedSlashes outside the virtual host": ("encoded-slashes", ("    AllowEncodedSlashes NoDecode\n", ""), ""),
    "no ProxyPreserveHost": ("host-header", ("    ProxyPreserveHost On\n", ""), ""),
    "X-Forwarded-For appended to": ("forwarded-for", ("    RequestHeader unset X-Forwarded-For early\n", ""), ""),
    "X-Real-IP passed through": ("client-headers", ("    RequestHeader unset X-Real-IP early\n", ""), ""),
    "headers stripped by Connection": ("connection-strips", ("RequestHeader edit* Connection", "# "), ""),
    "headers over 8190 bytes": ("header-limit", ("    LimitRequestFieldSize 32768\n", ""), ""),
    "Timeout of 60 seconds": ("read-timeout", ("Timeout 300\n", ""), PASS),
    "no HTTP/2": ("http2-missing", ("    Protocols h2 http/1.1\n", ""), ""),
    "Header always set on what is passed on": (
        "doubled-cors",
        (PASS, f'{PASS}    Header always set Access-Control-Allow-Origin "*"\n'),
        "Header always",
    ),
    "ProxyRequests": ("open-proxy", ("Timeout 300\n", "Timeout 300\nProxyRequests On\n"), ""),
    "mod_security": ("mod-security", ("SecRuleEngine Off", "SecRuleEngine On"), ""),
    "a virtual host without Listen": (
        "federation-port-missing",
        ("<VirtualHost *:443>", "<VirtualHost *:443 *:8449>"),
        "",
    ),
    "SSLEngine on without a certificate": (
        "certificate-unusable",
        ("    SSLCertificateFile /etc/letsencrypt/live/matrix.example.com/fullchain.pem\n", ""),
        "",
    ),
    "everything passed on": (
        "everything-passed-on",
        (PASS, "    ProxyPass / http://127.0.0.1:8008/ nocanon\n"),
        "ProxyPass / ",
    ),
    "administration passed on": (
        "admin-exposed",
        (PASS, f"{PASS}    ProxyPass /_palpo http://127.0.0.1:8008/_palpo nocanon\n"),
        "ProxyPass /_palpo http",
    ),
    "dots and %2f": ("admin-through-dots", ("%{THE_REQUEST}", "%{REQUEST_URI}"), PASS),
    "a pattern without an end": (
        "segment-boundary",
        (PASS, '    ProxyPassMatch "^(/_matrix.*)" http://127.0.0.1:8008$1 nocanon\n'),
        "ProxyPassMatch",
    ),
    "the public name for the media repository": (
        "media-forwarded-host",
        (PASS, f"{MEDIA}{PASS}"),
        "_matrix/media http",
    ),
    "X-Forwarded-Host that mod_proxy appends to": (
        "media-forwarded-host",
        (
            PASS,
            "    RequestHeader set Host example.com\n"
            f"    RequestHeader set X-Forwarded-Host example.com\n{MEDIA}{PASS}",
        ),
        "_matrix/media http",
    ),
    "the public name as Host alone": (
        "media-host",
        (PASS, f"    ProxyAddHeaders Off\n{MEDIA}{PASS}"),
        "_matrix/media http",
    ),
    "old media at the repository only": (
        "media-path-missing",
        (PASS, f"{MEDIA}{PASS}"),
        "_matrix/media http",
    ),
    "another certificate's name": (
        "certificate-name",
        ("live/matrix.example.com/fullchain.pem", "live/example.com/fullchain.pem"),
        "",
    ),
}
"""By trap: the rule, what brings it into the sound configuration, and a text of the line that is named, where it is
not that of the virtual host."""

HAPROXY_CASES: dict[str, tuple[str, tuple[str, str], str]] = {
    "no mode http": ("tcp-mode", ("    mode http\n", ""), "frontend"),
    "timeout server of Debian": ("read-timeout", ("timeout server 300s", "timeout server 50s"), "timeout server"),
    "milliseconds": ("read-timeout", ("timeout server 300s", "timeout server 50000"), "timeout server"),
    "Host with a port": ("host-with-port", ("hdr(host),host_only", "hdr(host)"), "acl client"),
    "everything passed on": ("everything-passed-on", (NOT_MATRIX, "    default_backend palpo\n"), "default_backend"),
    "dots in the path as it came": (
        "admin-through-dots",
        ("    http-request return status 404 if { path_sub -i /.. /%2e ..%2f %2f.. }\n", ""),
        "use_backend",
    ),
    "a prefix without an end": (
        "segment-boundary",
        ("path_reg ^/(_matrix|_palpo/client)(/|$)", "path_beg /_matrix"),
        "use_backend",
    ),
    "administration passed on": (
        "admin-exposed",
        ("path_reg ^/(_matrix|_palpo/client)(/|$)", "path_beg /_matrix/ /_palpo/"),
        "use_backend",
    ),
    "option forwardfor": (
        "forwarded-for",
        ("    http-request set-header X-Forwarded-For %[src]\n", "    option forwardfor\n"),
        "frontend",
    ),
    "X-Real-IP passed through": ("client-headers", ("    http-request del-header X-Real-IP\n", ""), "frontend"),
    "two front ends on one bind": (
        "bind-twice",
        ("backend palpo", "frontend other\n    bind *:443\n    default_backend palpo\nbackend palpo"),
        "bind *:443,[::]:443",
    ),
    "v4v6": ("mapped-address", ("*:443,[::]:443 ssl", ":::443 v4v6 ssl"), "bind"),
    "set-path with url_dec": (
        "decoded-target",
        (FRONT, f"    http-request set-path %[path,url_dec]\n{FRONT}"),
        "set-path",
    ),
    "normalize-uri": (
        "decoded-target",
        (FRONT, f"    http-request normalize-uri percent-to-uppercase\n{FRONT}"),
        "normalize-uri",
    ),
    "a path that is set": ("rewritten-target", (FRONT, f"    http-request set-path /x%[path]\n{FRONT}"), "set-path"),
    "CORS added": (
        "doubled-cors",
        (FRONT, f'{FRONT}    http-response add-header Access-Control-Allow-Origin "*"\n'),
        "add-header",
    ),
    "the public name for the media repository": (
        "media-host",
        (f"{FRONT}backend palpo", f"{FAMILIES}{FRONT}{REPOSITORY}backend palpo"),
        "use_backend media",
    ),
    "the public name as X-Forwarded-Host": (
        "media-forwarded-host",
        (
            f"{FRONT}backend palpo",
            f"{FAMILIES}{FRONT}{REPOSITORY}"
            "    http-request set-header X-Forwarded-Host matrix.example.com\nbackend palpo",
        ),
        "use_backend media",
    ),
    "old media at the repository only": (
        "media-path-missing",
        (f"{FRONT}backend palpo", f"{TO_MEDIA}{FRONT}{REPOSITORY}backend palpo"),
        "use_backend media",
    ),
    "a buffer of 16 KiB": ("header-limit", ("    tune.bufsize 65536\n", ""), "frontend"),
    "no HTTP/2": ("http2-missing", (" alpn h2,http/1.1", ""), "frontend"),
    "two servers": ("several-peers", ("8008\n", "8008\n    server other 192.0.2.9:8008\n"), "server other"),
    "a certificate that is missing": (
        "certificate-unusable",
        ("/etc/haproxy/matrix.pem", "/etc/haproxy/none.pem"),
        "frontend",
    ),
}
UP = "\t\treverse_proxy 127.0.0.1:8008 {\n"
PATHS = "\t\tpath /_matrix/* /_palpo/client/*\n"
RAW = next(line for line in CADDY.splitlines() if "vars_regexp" in line) + "\n"
TLS = next(line for line in CADDY.splitlines() if line.startswith("\ttls ")) + "\n"
OPTIONS = "\temail admin@example.com\n"
SITE = "matrix.example.com {"
CORS = "\t\theader Access-Control-Allow-Origin *\n"
DOCUMENT = '{"m.homeserver":{"base_url":"https://matrix.example.com"}}'


def server(*lines: str) -> tuple[str, str]:
    """Return the edit that puts lines into the global option servers."""
    inside = "\n".join(f"\t\t{line}" for line in lines)
    return OPTIONS, f"{OPTIONS}\tservers {{\n{inside}\n\t}}\n"


def up(line: str) -> tuple[str, str]:
    """Return the edit that puts a line into reverse_proxy."""
    return UP, f"{UP}\t\t\t{line}\n"


def before(line: str) -> tuple[str, str]:
    """Return the edit that puts a line into the site."""
    return TLS, f"{TLS}\t{line}\n"


CADDY_CASES: dict[str, tuple[str, tuple[str, str], str]] = {
    "handle_path strips": (
        "rewritten-target",
        ("\thandle @matrix {", "\thandle_path /_matrix/* {"),
        "handle_path",
    ),
    "uri strip_prefix": ("rewritten-target", (UP, f"\t\turi strip_prefix /_matrix\n{UP}"), "uri strip"),
    "rewrite in reverse_proxy": ("rewritten-target", up("rewrite /x{uri}"), "rewrite"),
    "rewrite to the decoded path": ("decoded-target", (UP, f"\t\trewrite * {{uri}}\n{UP}"), "rewrite"),
    "Host rewritten": ("host-header", up("header_up Host {upstream_hostport}"), "header_up Host"),
    "X-Forwarded-For of the client": (
        "forwarded-for",
        up("header_up X-Forwarded-For {http.request.header.X-Forwarded-For}"),
        "header_up X-Forwarded-For",
    ),
    "every client trusted": ("forwarded-for", up("trusted_proxies 0.0.0.0/0 ::/0"), "trusted_proxies"),
    "every client trusted by the server": (
        "forwarded-for",
        server("trusted_proxies static 0.0.0.0/0"),
        "trusted_proxies",
    ),
    "X-Real-IP passed through": ("client-headers", ("\t\t\theader_up -X-Real-IP\n", ""), UP),
    "CORS on what is passed on": ("doubled-cors", before("header Access-Control-Allow-Origin *"), "\theader Acc"),
    "CORS added by header_down": (
        "doubled-cors",
        up("header_down +Access-Control-Allow-Origin *"),
        "header_down",
    ),
    "two upstreams": ("several-peers", (" 127.0.0.1:8008 {", " 127.0.0.1:8008 192.0.2.9:8008 {"), "reverse_proxy"),
    "administration passed on": ("admin-exposed", (PATHS, "\t\tpath /_matrix/* /_palpo/*\n"), UP),
    "dots": ("admin-through-dots", (RAW, ""), UP),
    "a path without an end": ("segment-boundary", (PATHS, "\t\tpath /_matrix* /_palpo/client/*\n"), UP),
    "everything passed on": ("everything-passed-on", ("respond 404", "reverse_proxy localhost:8008"), "localhost:8008"),
    "handle comes before route": (
        "path-missing",
        ("\thandle @matrix {", "\troute @matrix {"),
        "respond 404",
    ),
    "other servers not passed on": (
        "path-missing",
        (PATHS, "\t\tpath /_matrix/client/* /_matrix/media/*\n"),
        "respond 404",
    ),
    "an empty 200": ("empty-answer", ("\thandle {\n\t\trespond 404\n\t}\n", ""), SITE),
    "tls internal": ("certificate-internal", (TLS, "\ttls internal\n"), "tls internal"),
    "local_certs": ("certificate-internal", (f"{OPTIONS}}}\n{SITE}\n{TLS}", f"\tlocal_certs\n}}\n{SITE}\n"), "local_c"),
    "a certificate that is missing": (
        "certificate-unusable",
        ("matrix.example.com/fullchain.pem", "none.example.com/fullchain.pem"),
        SITE,
    ),
    "a password before Matrix": (
        "password-asked",
        before("basicauth /_matrix/* {\n\t\tuser hash\n\t}"),
        "basicauth",
    ),
    "encode": ("compressed-answers", before("encode zstd gzip"), "encode"),
    "max_size": ("upload-limit", (UP, f"\t\trequest_body {{\n\t\t\tmax_size 10MB\n\t\t}}\n{UP}"), "max_size"),
    "a timeout for answers": (
        "read-timeout",
        up("transport http {\n\t\t\t\tresponse_header_timeout 1m30s\n\t\t\t}"),
        "response_header_timeout",
    ),
    "a timeout of the server": ("read-timeout", server("timeouts {", "write 30s", "}"), "write 30s"),
    "small heads": ("header-limit", server("max_header_size 8KB"), "max_header"),
    "no HTTP/2": ("http2-missing", server("protocols h1"), SITE),
    "the media repository is told the host as Host": (
        "media-host",
        before(
            "handle /_matrix/media/* {\n\t\treverse_proxy 127.0.0.1:8000 {\n"
            "\t\t\theader_up -X-Forwarded-Host\n\t\t}\n\t}"
        ),
        "8000",
    ),
    "authenticated media at the homeserver": (
        "media-path-missing",
        before("handle /_matrix/media/* {\n\t\treverse_proxy 127.0.0.1:8000\n\t}"),
        "8000",
    ),
    "the media repository is told the host": (
        "media-forwarded-host",
        before("handle /_matrix/media/* {\n\t\treverse_proxy 127.0.0.1:8000\n\t}"),
        "8000",
    ),
    "well-known without CORS": ("well-known-cors", (CORS, ""), "\t\trespond `"),
    "well-known is no JSON": ("well-known-invalid", (DOCUMENT, "https://matrix.example.com"), "\t\trespond `"),
    "m.server in the client document": (
        "well-known-bogus",
        (DOCUMENT, f'{DOCUMENT[:-1]},"m.server":{{}}}}'),
        "\t\trespond `",
    ),
    "well-known as text": (
        "well-known-type",
        (CORS, f"{CORS}\t\theader Content-Type text/plain\n"),
        "\t\trespond `",
    ),
    "well-known redirected": (
        "well-known-redirect",
        (f"\t\trespond `{DOCUMENT}`\n", "\t\tredir https://other.example.com{uri}\n"),
        "redir",
    ),
}
CASES = {
    **{(f"apache: {name}", "apache"): case for name, case in APACHE_CASES.items()},
    **{(f"haproxy: {name}", "haproxy"): case for name, case in HAPROXY_CASES.items()},
    **{(f"caddy: {name}", "caddy"): case for name, case in CADDY_CASES.items()},
}


def bundle(root: Path) -> None:
    """Put the certificate where the sound HAProxy has it: chain and key in one file."""
    live, place = root / "etc/letsencrypt/live/matrix.example.com", root / "etc/haproxy"
    place.mkdir(parents=True, exist_ok=True)
    pem = (live / "fullchain.pem").read_text() + (live / "privkey.pem").read_text()
    (place / "matrix.pem").write_text(pem)


def findings(root: Path, kind: str, text: str, toml: str = SOUND) -> list[tuple[str, int]]:
    """Return the rules that find something, with their lines; the second look has HAProxy's certificate in place."""
    judged(root, kind, text, toml)
    bundle(root)
    return [(each.rule, each.line) for each in judged(root, kind, text, toml).findings if each.file.suffix != ".toml"]


def test_the_address_that_caddy_believes_is_a_clients_word_where_all_are_believed(tmp_path: Path) -> None:
    """What ``{client_ip}`` says depends on whom the global options trust."""
    passed_on = TEXTS["caddy"].replace(*up("header_up X-Forwarded-For {client_ip}"))
    assert findings(tmp_path, "caddy", passed_on) == []
    trusting = passed_on.replace(*server("trusted_proxies static 0.0.0.0/0"))
    assert [rule for rule, _ in findings(tmp_path, "caddy", trusting)] == ["forwarded-for"]


@pytest.mark.parametrize("kind", TEXTS)
def test_a_sound_configuration_has_no_finding(tmp_path: Path, kind: str) -> None:
    """And its site is named as read."""
    assert findings(tmp_path, kind, TEXTS[kind]) == []
    (line, *_) = judged(tmp_path, kind, TEXTS[kind]).read
    assert "matrix.example.com on 443: passes Matrix requests on" in line


@pytest.mark.parametrize(("trap", "kind"), CASES)
def test_each_trap_is_found_on_its_line(tmp_path: Path, trap: str, kind: str) -> None:
    """With a cure in the words of the proxy, and no word of another."""
    rule, edit, words = CASES[trap, kind]
    text = trapped(edit, text=TEXTS[kind])
    found = findings(tmp_path, kind, text)
    assert rule in [name for name, _ in found], found
    mark = (edit[1].strip().splitlines() or [""])[0] if words == PASS and words not in text else words.strip()
    wanted = next((n for n, line in enumerate(text.splitlines(), 1) if (mark or "<VirtualHost") in line), 0)
    assert (rule, wanted) in found
    audited = judged(tmp_path, kind, text)
    (finding, *_) = [each for each in audited.findings if each.rule == rule]
    assert finding.cure != "Correct it there."
    assert "nginx" not in str(audited.findings).lower()


@pytest.mark.parametrize("kind", TEXTS)
def test_logins_without_a_limit(tmp_path: Path, kind: str) -> None:
    """Where Palpo's own is off; said of this proxy."""
    assert "unlimited-logins" in [rule for rule, _ in findings(tmp_path, kind, TEXTS[kind], OFF)]
    assert "nginx" not in str(judged(tmp_path, kind, TEXTS[kind], OFF).findings).lower()


def test_the_port_for_other_servers_shows_the_server_names_certificate(tmp_path: Path) -> None:
    """Or a document leads them elsewhere."""
    text = trapped(("<VirtualHost *:443>", "<VirtualHost *:443 *:8448>"), text=APACHE)
    direct = trapped(('server = "matrix.example.com:443"\n', ""), text=SOUND)
    assert findings(tmp_path / "direct", "apache", text, direct) == [("federation-certificate", 7)]
    assert findings(tmp_path / "delegated", "apache", text) == []


def test_every_trap_of_the_neutral_rules_is_tried() -> None:
    """By a case here, or by those of another proxy."""
    modules = (passing_rules, media_passing)
    defined = {value.rule for module in modules for value in vars(module).values() if isinstance(value, Trap)}
    assert defined <= {rule for rule, *_ in CASES.values()}


TOLD = {
    "apache": (
        PASS,
        '    <LocationMatch "^/_matrix/((client|federation)/v1/)?media(/|$)">\n'
        "        RequestHeader set Host example.com\n"
        "        RequestHeader unset X-Forwarded-Host\n    </LocationMatch>\n"
        + "".join(
            f"    ProxyPass {path} http://127.0.0.1:8000{path} nocanon\n"
            for path in ("/_matrix/media", "/_matrix/client/v1/media", "/_matrix/federation/v1/media")
        )
        + PASS,
    ),
    "haproxy": (
        f"{FRONT}backend palpo",
        f"{FAMILIES}{FRONT}{REPOSITORY}    http-request set-header Host example.com\nbackend palpo",
    ),
    "caddy": before(
        "@media path /_matrix/media/* /_matrix/client/v1/media/* /_matrix/federation/v1/media/*\n\thandle @media {\n"
        "\t\treverse_proxy 127.0.0.1:8000 {\n\t\t\theader_up Host example.com\n"
        "\t\t\theader_up X-Forwarded-Host example.com\n\t\t}\n\t}"
    ),
}


@pytest.mark.parametrize("kind", TOLD)
def test_a_media_repository_that_is_told_the_server_name_has_no_finding(tmp_path: Path, kind: str) -> None:
    """In the words of each proxy's cure, for all three families of paths."""
    assert findings(tmp_path, kind, trapped(TOLD[kind], text=TEXTS[kind])) == []


@pytest.mark.parametrize(
    ("kind", "edit"),
    [
        ("caddy", (SITE, 'neighbour.example.org {\n\trespond "the neighbour"\n}\nmatrix.example.com {')),
        ("haproxy", (FRONT, f"    http-request set-var(txn.x) str(y) if {{ path,url_dec -m beg /_matrix }}\n{FRONT}")),
    ],
)
def test_what_is_no_trap(tmp_path: Path, kind: str, edit: tuple[str, str]) -> None:
    """A website of somebody else's that answers everything alike; a condition that decodes a path to look at it."""
    assert findings(tmp_path, kind, trapped(edit, text=TEXTS[kind])) == []


def test_a_backend_that_is_looked_up_is_named_as_not_followed(tmp_path: Path) -> None:
    """What cannot be told is not passed off as free of traps: the line stands there, with what judges it."""
    text = trapped(("use_backend palpo if client matrix", "use_backend palpo-%[dst_port] if client"), text=HAPROXY)
    (unread,) = judged(tmp_path, "haproxy", text).unread
    assert unread.subject.endswith("/etc/haproxy/haproxy.cfg:20")
    assert "palpo-%[dst_port]" in unread.why
    assert "palpo-installer verify" in unread.next
    assert judged(tmp_path / "sound", "haproxy", HAPROXY).unread == ()
