"""What the rendered site does in a real nginx, beside neighbours with other settings."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from palpo_installer.answers import (
    Address,
    Answers,
    BaseDomain,
    CertificateFiles,
    Certificates,
    Delegation,
    Federation,
    Homeserver,
    Method,
    Names,
    Registration,
    WellKnown,
)
from palpo_installer.facts.system import System
from palpo_installer.layout import Layout
from palpo_installer.probe import Answer, Question, ask
from palpo_installer.proxies.base import Rendering
from palpo_installer.proxies.nginx.rendering import render
from palpo_installer.site import Site, build
from tests.facts.made import certificate
from tests.lab.neighboured_nginx import NeighbouredNginx, Ports
from tests.lab.running import require_programs
from tests.lab.upstream import DELAY, STATUS, Upstream, free_ports, upstream
from tests.lab.wire import Wire

CLIENT, BASE, NEIGHBOUR = "matrix.example.com", "example.com", "neighbour.example"

LEGAL = ["/_matrix/client/v3/rooms/%21abc%3Aexample.com/state/m.room.name/", "/_matrix/federation/v1/query/directory?room_alias=%23a%3Ab", "/_matrix/client/v3/rooms/!abc:example.com/state/m.room.name/", "/_matrix/client/v3/directory/room/%23a%2Fb%3Aexample.com", "/_matrix/client/v3/directory/room/%23a%2fb%3aexample.com", "/_matrix/client/v3/user/a%2F%2Fb", "/_matrix/client//v3/sync", "/_matrix//client/v3/rooms//x/", "//_matrix/client/versions", "/_matrix/client/./versions", "/_matrix/client/v3/../versions", "/_matrix/client/v3/%2e%2e/versions", "/_matrix/client/v3/rooms/..%2F..%2Fx/y", "/_matrix/client/v3/rooms/%2E%2E%2Fx", "/_matrix/a%25b", "/_matrix/a%252Fb", "/_matrix/%E2%80%A2/x", "/_matrix/%e2%80%a2/x", "/_matrix/a+b?x=a+b%20c%2B", "/_matrix/a;b=c/d;e", "/_matrix/client/v3/profile/@user:example.com/displayname", "/_matrix/client/v3/profile/%40user%3Aexample.com/displayname", "/_matrix/a*b'()!$&,=~/c", "/_matrix/client/versions?", "/_matrix/client/versions??a=b?c", "/_matrix/x?a=/../b//c&d=%2F", "/_matrix/%7Euser/%41%62", "/_matrix/a%20b", "/_matrix/a%0d%0aX:1", "/_matrix/a%5Cb", "/_matrix/a%3Fb%23c", "/_matrix", "/_matrix?a", "/_m%61trix/client/versions", "/%5Fmatrix/client/versions", "/_palpo/client/x"]

ILLEGAL = ["/_matrix/a%00b", "/_matrix/a%", "/_matrix/a%zz", "/_matrix/é", "/_matrix/a|b", '/_matrix/a"b<c>']
ILLEGAL += ["/_matrix/a{b}^`", "/_matrix/a\\b", "/_matrix/[x]", "/_matrix/a#b"]

CLOSED = ["/", "/metrics", "/health", "/_matrixfoo", "/_MATRIX/client/versions", "/_palpo/clientfoo", "/_palpo/admin", "/_palpo/admin/v1/users", "//_palpo//admin/v1", "/_palpo/%61dmin/v1", "/%5Fpalpo/admin", "/_PALPO/admin", "/_synapse/admin/v1", "/_palpo/mas", "/_synapse/mas/x", "/_palpo/./admin/x", "/_matrix/../_palpo/admin/v1/users", "/_matrix/%2e%2e/_palpo/admin", "/_matrix/..%2f_palpo/admin", "/_palpo/client/../admin/v1", "/_palpo/client/..%2Fadmin", "/_palpo%2fadmin/x", "/_palpo/admin/..%2f..%2f_matrix/x", "/_palpo/admin/v1/users/../../../../_matrix", "/%5fPalpo/%41dmin/%2e%2e/%2e%2e/_matrix", "/health/../_matrix/x", "//health%2f..%2f_matrix"]


@dataclass(frozen=True)
class Running:
    """The site as it is served, and what is behind it."""

    nginx: NeighbouredNginx
    rendering: Rendering
    homeserver: Upstream
    media: Upstream
    root: Path

    @property
    def wire(self) -> Wire:
        """To the client host."""
        return Wire("127.0.0.1", self.nginx.ports.https, CLIENT)

    @property
    def dead(self) -> Wire:
        """To the federation port, whose homeserver is not there."""
        return Wire("127.0.0.1", self.nginx.ports.federation, BASE)

    def seen(self, target: str | bytes, wire: Wire | None = None) -> tuple[Answer, list[bytes]]:
        """Ask for a target, and return the answer with what reached either upstream."""
        for each in (self.homeserver, self.media):
            each.requests.clear()
        answer = (wire or self.wire).http1(target if isinstance(target, bytes) else target.encode())
        return answer, self.homeserver.targets + self.media.targets


def site(layout: Layout, ports: Ports, homeserver: Address, media: Address | None, dead: Address) -> Site:
    """Return a whole site: well-known delegation on three ports, and federation on a port of its own."""
    answers = Answers(
        names=Names(BASE, CLIENT, BaseDomain.OURS),
        federation=Federation(Delegation.WELL_KNOWN, ports.federation),
        proxy="nginx",
        homeserver=Homeserver(
            Path("/etc/palpo/palpo.toml"), homeserver, homeserver, None, Registration.CLOSED, None, 1, Path("/x")
        ),
        media=media,
        well_known=WellKnown("https://id.example.com", "it's $@example.com", ("https://rtc.example.com",)),
        certificates=Certificates(Method.HTTP_01, "", True, "https://acme.invalid/", None, None, ""),
    )
    direct = replace(answers, federation=Federation(Delegation.DIRECT, ports.federation))
    direct = replace(direct, homeserver=replace(answers.homeserver, upstream=dead), media=None)
    whole = build(answers, layout)
    balanced = [replace(host, port=ports.balanced) for host in whole.virtual_hosts if host.port == ports.https]
    federation = [host for host in build(direct, layout).virtual_hosts if host.port == ports.federation]
    return replace(whole, virtual_hosts=(*whole.virtual_hosts, *balanced, *federation))


def neighboured(root: Path) -> NeighbouredNginx:
    """Return an nginx with its neighbours, not started."""
    chain = CertificateFiles(root / "neighbour.pem", root / "neighbour.key")
    certificate(NEIGHBOUR).write(chain.chain, chain.key)
    nginx = NeighbouredNginx(root / "nginx", Ports(*free_ports(4)), chain)
    nginx.write()
    return nginx


def installed(root: Path, nginx: NeighbouredNginx, homeserver: Address, media: Address, timeout: int) -> Rendering:
    """Render the site for an nginx, and write its files and certificates."""
    ports = nginx.ports
    layout = Layout(root, ports.http, ports.https, ("127.0.0.1", "::1"))
    (nowhere,) = free_ports(1)
    wanted = replace(site(layout, ports, homeserver, media, Address("127.0.0.1", nowhere)), read_timeout=timeout)
    files = {name: CertificateFiles(root / f"{name}.pem", root / f"{name}.key") for name in wanted.certificates}
    for name, pair in files.items():
        certificate(name).write(pair.chain, pair.key)
    system = System("debian", "12", "", "none", "disabled", (), ("127.0.0.1", "::1"), ipv6=True, root=True)
    rendering = render(wanted, nginx.facts, system, layout, files)
    nginx.install(rendering.plain)
    nginx.install(rendering.secure)
    challenges = layout.webroot / ".well-known/acme-challenge"
    challenges.mkdir(parents=True)
    (challenges / "token").write_text("answer")
    return rendering


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The site in one nginx for all tests; it waits three seconds for the homeserver."""
    require_programs("nginx")
    root = tmp_path_factory.mktemp("conformance")
    with ExitStack() as stack:
        homeserver, media = stack.enter_context(upstream()), stack.enter_context(upstream())
        nginx = neighboured(root)
        rendering = installed(root, nginx, homeserver.address, media.address, timeout=3)
        stack.enter_context(nginx.running())
        yield Running(nginx, rendering, homeserver, media, root)


def refused(answer: Answer, status: int, errcode: str) -> None:
    """Assert that an answer is nginx's own: this status, JSON with this code, readable by scripts."""
    assert (answer.status, answer.all("content-type")) == (status, ("application/json",))
    assert json.loads(answer.body)["errcode"] == errcode
    assert answer.all("access-control-allow-origin") == ("*",)


def test_the_configuration_is_accepted_without_a_warning(running: Running) -> None:
    """Not one line, though every neighbour inherits other settings."""
    assert running.nginx.test() == ""


def test_every_expectation_holds_on_its_address(running: Running) -> None:
    """Each name shows the marker and its own certificate wherever it is said to."""
    expectations = (*running.rendering.plain.expectations, *running.rendering.secure.expectations)
    assert {each.address for each in expectations} == {"127.0.0.1", "::1"}
    for each in expectations:
        question = Question(each.address, each.port, each.tls, each.name, each.name, "/.well-known/palpo-installer")
        answer = ask(replace(question, proxy_protocol=each.proxy_protocol))
        assert answer.all("palpo-installer") == (each.marker,), each
        if each.certificate:
            shown = certificate_of(each.certificate)
            assert answer.chain == shown, each


def certificate_of(path: Path) -> bytes:
    """Return the leaf of a PEM file."""
    import ssl  # noqa: PLC0415

    return ssl.PEM_cert_to_DER_cert(path.read_text())


@pytest.mark.parametrize("target", LEGAL)
def test_a_legal_target_arrives_byte_for_byte(running: Running, target: str) -> None:
    """Over HTTP/1.1 and HTTP/2."""
    answer, arrived = running.seen(target)
    assert (answer.status, arrived) == (200, [target.encode()])
    running.homeserver.requests.clear()
    assert running.wire.http2(target.encode()).status == 200
    assert running.homeserver.targets == [target.encode()]


@pytest.mark.parametrize("target", ILLEGAL)
def test_an_illegal_target_arrives_unaltered_or_is_refused(running: Running, target: str) -> None:
    """Over HTTP/1.1 and HTTP/2; a refusal is 4xx or a reset stream."""
    answer, arrived = running.seen(target)
    assert arrived == [target.encode()] or (400 <= answer.status < 500 and not arrived)
    running.homeserver.requests.clear()
    answer = running.wire.http2(target.encode())
    assert running.homeserver.targets == [target.encode()] or 400 <= answer.status < 500 or answer.problem


@pytest.mark.parametrize("target", CLOSED)
def test_what_is_closed_stays_closed_however_it_is_written(running: Running, target: str) -> None:
    """As nginx reads it and as the homeserver would; the homeserver sees nothing."""
    for name in (CLIENT, None):
        wire = replace(running.wire, sni=name)
        for each in (running.homeserver, running.media):
            each.requests.clear()
        answer = wire.http1(target.encode(), [(b"Host", CLIENT.encode())])
        assert running.homeserver.targets + running.media.targets == []
        refused(answer, 404, "M_UNRECOGNIZED")


@pytest.mark.parametrize(
    "target",
    ["/_matrix/client/v3/register", "/_matrix/client/v3/%72egister", "/_matrix//client/v3//register/",
     "/_matrix/client/r0/register?kind=user", "/_matrix/client/v3/x/../register", "/_matrix/client/v3%2fregister"],
)  # fmt: skip
def test_closed_registration_is_closed(running: Running, target: str) -> None:
    """POST is refused however it is written; the preflight of a browser and GET reach the homeserver."""
    running.homeserver.requests.clear()
    refused(running.wire.http1(target.encode(), method=b"POST"), 403, "M_FORBIDDEN")
    assert running.homeserver.requests == []
    for method in (b"OPTIONS", b"GET"):
        assert running.wire.http1(target.encode(), method=method).status == 200
    assert running.homeserver.targets == [target.encode()] * 2


@pytest.mark.parametrize("connection", [b"close", b"X-Forwarded-For, X-Forwarded-Proto, Host, close"])
@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_only_our_forwarding_headers_arrive(running: Running, address: str, connection: bytes) -> None:
    """The client's own are gone, also when it declares ours as headers of the connection."""
    spoofed = ["X-Forwarded-For", "Forwarded", "X-Real-IP", "X-Forwarded-Host", "X-Forwarded-Proto"]
    spoofed += ["X-Forwarded-Port", "X-Forwarded-Server", "X-Forwarded-Prefix", "X-Client-IP", "X-Original-URL"]
    headers = [(name.encode(), b"203.0.113.66") for name in spoofed]
    replace(running.wire, address=address).http1(b"/_matrix/x", [*headers, (b"Connection", connection)])
    request = running.homeserver.requests[-1]
    assert request.all("x-forwarded-for") == (address,)
    assert request.all("x-forwarded-proto") == ("https",)
    assert not [value for _, value in request.headers if "203.0.113.66" in value]


def test_behind_a_load_balancer_the_client_is_the_one_it_names(running: Running) -> None:
    """X-Forwarded-For comes from the PROXY line where the neighbour's socket has one."""
    hello = b"PROXY TCP4 198.51.100.7 203.0.113.1 4711 443\r\n"
    wire = replace(running.wire, port=running.nginx.ports.balanced, hello=hello)
    assert wire.http1(b"/_matrix/x").status == 200
    assert running.homeserver.requests[-1].all("x-forwarded-for") == ("198.51.100.7",)


@pytest.mark.parametrize("host", ["matrix.example.com:443", "MATRIX.example.COM", "matrix.example.com"])
def test_the_host_arrives_as_the_client_wrote_it(running: Running, host: str) -> None:
    """Port and case included."""
    running.wire.http1(b"/_matrix/x", [(b"Host", host.encode())])
    assert running.homeserver.requests[-1].all("host") == (host,)


@pytest.mark.parametrize("path", ["media/v3/x.png", "client/v1/media/x", "federation/v1/media/x"])
def test_media_goes_to_the_media_repository_as_the_server_name(running: Running, path: str) -> None:
    """With the server name as Host, whatever the client wrote."""
    _, arrived = running.seen(f"/_matrix/{path}")
    assert arrived == running.media.targets == [f"/_matrix/{path}".encode()]
    assert running.media.requests[-1].all("host") == (BASE,)
    assert running.media.requests[-1].all("x-forwarded-for") == ("127.0.0.1",)


@pytest.mark.parametrize(("size", "passes"), [(7, True), (31, True), (40, False)])
def test_long_header_lines(running: Running, size: int, passes: bool) -> None:
    """Up to 32 KiB pass, over both protocols; longer ones are refused."""
    header = (b"authorization", b"x" * size * 1024)
    for send in (running.wire.http1, running.wire.http2):
        status = send(b"/_matrix/x", [header]).status
        assert status == 200 if passes else 400 <= status < 500


def test_a_large_upload_passes(running: Running) -> None:
    """Ten MiB, with a length and in chunks."""
    size = 10 * 1024 * 1024
    sized = running.wire.http1(
        b"/_matrix/media/v3/upload", [(b"Content-Length", b"%d" % size)], method=b"POST", body=[bytes(size)]
    )
    piece = b"%x\r\n%b\r\n" % (65536, bytes(65536))
    chunked = running.wire.http1(
        b"/_matrix/media/v3/upload", [(b"Transfer-Encoding", b"chunked")], method=b"POST",
        body=[*[piece] * 160, b"0\r\n\r\n"],
    )  # fmt: skip
    assert (sized.status, chunked.status) == (200, 200)
    assert [request.body for request in running.media.requests[-2:]] == [size, size]


@pytest.mark.parametrize("coding", [(b"Content-Length", b"%d" % (17 * 2**20)), (b"Transfer-Encoding", b"chunked")])
def test_a_body_above_the_limit_is_answered(running: Running, coding: tuple[bytes, bytes]) -> None:
    """With 413 and JSON, after all of it was sent."""
    piece = bytes(2**20) if coding[0] == b"Content-Length" else b"%x\r\n%b\r\n" % (2**20, bytes(2**20))
    body = [*[piece] * 17, *([b"0\r\n\r\n"] if coding[1] == b"chunked" else [])]
    answer = running.wire.http1(b"/_matrix/media/v3/upload", [coding], method=b"POST", body=body)
    refused(answer, 413, "M_TOO_LARGE")


@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"OPTIONS", b"PUT", b"DELETE"])
def test_an_answer_of_the_homeserver_keeps_its_headers(running: Running, method: bytes) -> None:
    """One CORS header and one content type, its own; no caching of ours; errors as it wrote them."""
    for status in (b"200", b"404", b"429", b"502"):
        answer = running.wire.http1(b"/_matrix/x.png", [(STATUS.encode(), status)], method=method)
        assert answer.status == int(status)
        assert answer.all("access-control-allow-origin") == ("*",)
        assert answer.all("content-type") == ("application/json",)
        assert answer.all("cache-control") == ()
        assert answer.body == (b"" if method == b"HEAD" else b'{"from":"upstream"}')


@pytest.mark.parametrize("name", [CLIENT, BASE])
@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"OPTIONS"])
def test_well_known_documents(running: Running, name: str, method: bytes) -> None:
    """200, JSON, one CORS header, a short life; quotes and dollar signs in them survive."""
    wire, documents = replace(running.wire, sni=name), []
    for path in (b"client", b"server", b"support"):
        answer = wire.http1(b"/.well-known/matrix/" + path, method=method)
        assert (answer.status, answer.all("content-type")) == (200, ("application/json",))
        assert answer.all("access-control-allow-origin") == ("*",)
        assert answer.all("access-control-allow-methods") == ("GET, POST, PUT, DELETE, OPTIONS",)
        assert len(answer.all("access-control-allow-headers")) == 1
        assert re.fullmatch(r"max-age=(3600|86400)", answer.header("cache-control"))
        documents.append(answer.body)
    if method != b"HEAD":
        client, server, support = map(json.loads, documents)
        port = running.nginx.ports.https
        assert client["m.homeserver"] == {"base_url": f"https://{CLIENT}:{port}"}
        assert server == {"m.server": f"{CLIENT}:{port}"}
        assert support["contacts"][0]["email_address"] == "it's $@example.com"


def test_wrong_logins_are_limited_by_client(running: Running) -> None:
    """Of fifty at once most are refused with JSON; asking for the methods is not, nor is another address."""
    path = b"/_matrix/client/v3/login"
    answers = [running.wire.http1(path, method=b"POST") for _ in range(50)]
    limited = [answer for answer in answers if answer.status == 429]
    assert 30 <= len(limited) <= 40
    refused(limited[-1], 429, "M_LIMIT_EXCEEDED")
    assert json.loads(limited[-1].body)["retry_after_ms"] > 0
    assert running.wire.http1(b"/_matrix//client/v3/%6cogin/", method=b"POST").status == 429
    assert running.wire.http1(path).status == 200
    assert replace(running.wire, address="::1").http1(path, method=b"POST").status == 200


def test_a_homeserver_that_is_away(running: Running) -> None:
    """Refused connections give 502, silence 504, both as JSON; the next request is tried again."""
    refused(running.dead.http1(b"/_matrix/client/v3/image.png"), 502, "M_UNKNOWN")
    refused(running.wire.http1(b"/_matrix/x", [(DELAY.encode(), b"3.5")]), 504, "M_UNKNOWN")
    assert running.wire.http1(b"/_matrix/x").status == 200


def test_answers_may_take_as_long_as_the_site_says(running: Running) -> None:
    """Two seconds of three."""
    assert running.wire.http1(b"/_matrix/client/v3/sync", [(DELAY.encode(), b"2")]).status == 200


@pytest.mark.slow
def test_a_long_poll_of_a_minute(tmp_path: Path) -> None:
    """Longer than nginx waits by itself."""
    with upstream() as homeserver:
        nginx = neighboured(tmp_path)
        installed(tmp_path, nginx, homeserver.address, homeserver.address, timeout=Site.read_timeout)
        with nginx.running():
            wire = Wire("127.0.0.1", nginx.ports.https, CLIENT)
            assert wire.http1(b"/_matrix/client/v3/sync", [(DELAY.encode(), b"61")]).status == 200


@pytest.mark.parametrize("target", LEGAL)
def test_the_redirect_keeps_the_target(running: Running, target: str) -> None:
    """Byte for byte, to the literal name, on each address."""
    ports = running.nginx.ports
    for address in ("127.0.0.1", "::1"):
        wire = Wire(address, ports.http, CLIENT, tls=False)
        answer = wire.http1(target.encode(), [(b"Host", b"Matrix.Example.Com:1")])
        assert (answer.status, answer.header("location")) == (301, f"https://{CLIENT}:{ports.https}{target}")


def test_challenges_are_answered_before_the_redirect(running: Running) -> None:
    """As plain text over plain HTTP; one that is not there is 404, not a redirect."""
    wire = Wire("::1", running.nginx.ports.http, BASE, tls=False)
    answer = wire.http1(b"/.well-known/acme-challenge/token")
    assert (answer.status, answer.body, answer.header("content-type")) == (200, b"answer", "text/plain")
    assert wire.http1(b"/.well-known/acme-challenge/other").status == 404


@pytest.mark.parametrize("host", [NEIGHBOUR, "unknown.example", "127.0.0.1"])
def test_neighbours_and_nameless_requests_are_answered_as_before(running: Running, tmp_path: Path, host: str) -> None:
    """Compared with the same nginx without us, on every address and port it had."""
    alone = neighboured(tmp_path)

    def answers(ports: Ports) -> list[tuple[int, bytes, bool]]:
        sni = None if host == "127.0.0.1" else host
        balanced = Wire("127.0.0.1", ports.balanced, sni, hello=b"PROXY UNKNOWN\r\n")
        wires = [Wire(address, ports.https, sni) for address in ("127.0.0.1", "::1")]
        plain = [Wire(address, ports.http, sni, tls=False) for address in ("127.0.0.1", "::1")]
        asked = [(wire, wire.http1(b"/", [(b"Host", host.encode())])) for wire in (*wires, *plain, balanced)]
        return [(answer.status, answer.body, wire.tls and wire.offers_http2()) for wire, answer in asked]

    with alone.running():
        before = answers(alone.ports)
    assert answers(running.nginx.ports) == before
    assert {body for _, body, _ in before} == {b"neighbour over http", b"neighbour over https"}


def test_http2_is_offered_where_it_harms_nobody(running: Running) -> None:
    """On new sockets, and on a shared one only if the neighbours have it there."""
    ports = running.nginx.ports
    assert Wire("127.0.0.1", ports.federation, BASE).offers_http2()
    assert Wire("127.0.0.1", ports.https, CLIENT).offers_http2()
    assert not Wire("::1", ports.https, CLIENT).offers_http2()
    assert any(f"HTTP/2 is not offered on port {ports.https} at ::1" in each for each in running.rendering.findings)
