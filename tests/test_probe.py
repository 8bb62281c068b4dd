"""One question to one socket, against small real servers that answer byte for byte what a test says."""

from __future__ import annotations

import hashlib
import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace

import pytest

from palpo_installer.certificates import authority
from palpo_installer.layout import Layout
from palpo_installer.probe import Answer, Question, ask

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Peer:
    """A server for one connection.

    Attributes:
        port: where it listens, on loopback.
        received: every byte that came.
        sni: the name in the TLS handshake, None where there was none.
    """

    def __init__(self, reply: bytes, tls: ssl.SSLContext | None) -> None:
        self.received = b""
        self.sni: str | None = "not asked"
        self._reply, self._tls = reply, tls
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]

    @property
    def _asked(self) -> bool:
        """Whether a whole head came, or a TLS handshake (RFC 8446, section 5.1: content type 0x16)."""
        return b"\r\n\r\n" in self.received or self.received.startswith(b"\x16")

    def serve(self) -> None:
        """Take one connection, read a head, answer, and read on to its end."""
        with self._server, closing(self._server.accept()[0]) as plain:
            plain.settimeout(5)
            try:
                stream = self._tls.wrap_socket(plain, server_side=True) if self._tls else plain
                with stream:
                    while not self._asked and (data := stream.recv(65536)):
                        self.received += data
                    stream.sendall(self._reply)
            except OSError:
                return


@contextmanager
def peer(reply: bytes = OK, tls: ssl.SSLContext | None = None) -> Iterator[Peer]:
    """Serve one connection during the block."""
    server = Peer(reply, tls)
    if tls is not None:

        def note(_socket: ssl.SSLObject | ssl.SSLSocket, name: str | None, _context: ssl.SSLContext) -> None:
            server.sni = name

        tls.sni_callback = note
    thread = threading.Thread(target=server.serve)
    thread.start()
    try:
        yield server
    finally:
        # One that nobody asked would wait for ever.
        with closing(socket.socket()) as waker:
            waker.connect_ex(("127.0.0.1", server.port))
        thread.join()


def question(port: int, **more: object) -> Question:
    """Return a question to a port of loopback over plain HTTP."""
    return replace(Question("127.0.0.1", port, tls=False, timeout=3.0), **more)  # type: ignore[arg-type]


def asked(reply: bytes = OK, /, **more: object) -> tuple[Answer, bytes]:
    """Return the answer, and what the server got."""
    with peer(reply) as server:
        answer = ask(question(server.port, **more))
    return answer, server.received


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], ssl.SSLContext]:
    """Return what makes server contexts with a certificate that nobody trusts."""
    layout = Layout(tmp_path_factory.mktemp("authority"))
    files = authority.issue("matrix.example.com", layout)

    def make() -> ssl.SSLContext:
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.load_cert_chain(files.chain, files.key)
        return made

    return make


def test_a_closed_port_is_refused() -> None:
    """Nobody listens: an answer of its own, and no exception."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert ask(question(port)) == Answer(problem="refused")


@pytest.mark.parametrize("tls", [False, True])
def test_a_silent_server_times_out(tls: bool) -> None:
    """One that takes the connection and says nothing is told from one that refuses, with TLS and without."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert ask(question(server.getsockname()[1], tls=tls, timeout=0.3)).problem == "timed out"


@pytest.mark.parametrize(
    ("reply", "problem"),
    [(b"", "closed without an answer"), (b"SSH-2.0-OpenSSH\r\n", "SSH-2.0-OpenSSH")],
)
def test_what_is_no_http_is_a_problem(reply: bytes, problem: str) -> None:
    """A closed connection and another protocol each say what came; the status is 0."""
    answer, _ = asked(reply)
    assert problem in answer.problem
    assert answer.status == 0


def test_tls_is_spoken_without_trust(context: Callable[[], ssl.SSLContext]) -> None:
    """Who signed it does not matter here: the certificate is taken as it is and compared later."""
    with peer(tls=context()) as server:
        answer = ask(question(server.port, tls=True, sni="matrix.example.com"))
    assert (answer.status, answer.body, answer.problem) == (200, b"ok", "")
    assert answer.chain
    assert answer.certificate == hashlib.sha256(answer.chain).hexdigest()
    assert server.sni == "matrix.example.com"


def test_without_a_name_there_is_no_sni(context: Callable[[], ssl.SSLContext]) -> None:
    """The nameless request that every address must answer as before."""
    with peer(tls=context()) as server:
        assert ask(question(server.port, tls=True)).status == 200
    assert server.sni is None


def test_the_certificate_is_kept_when_no_answer_comes(context: Callable[[], ssl.SSLContext]) -> None:
    """A handshake that worked still says which certificate is shown."""
    with peer(b"", tls=context()) as server:
        answer = ask(question(server.port, tls=True, sni="matrix.example.com"))
    assert answer.problem
    assert len(answer.certificate) == 64


def test_plain_http_where_tls_is_expected_is_a_tls_problem() -> None:
    """It begins with ``tls:``, so that a wrong protocol is told from a dead server."""
    answer, _ = asked(tls=True)
    assert answer.problem.startswith("tls: ")


@pytest.mark.parametrize(
    "target",
    [
        "/",
        "/_matrix/../_synapse/admin",
        "/a//b/./c",
        "/%2e%2E/%2F%00?x=%zz&&y#fragment",
        "/with space",
        "/tab\there",
        "*",
        "http://other.example/absolute",
        '/[]{}|\\^`"<>',
    ],
)
def test_a_target_is_sent_as_it_stands(target: str) -> None:
    """No normalising, quoting or refusing on our side: whether the proxy takes it is what is asked."""
    answer, received = asked(target=target)
    assert received.split(b"\r\n")[0] == b"GET " + target.encode() + b" HTTP/1.1"
    assert answer.status == 200


@pytest.mark.parametrize(("host", "line"), [("m.example.com", b"Host: m.example.com"), ("", b"Host: 127.0.0.1")])
def test_the_host_header_is_the_name_or_the_bare_address(host: str, line: bytes) -> None:
    """Exactly one Host header, and nothing that asks for a compressed body."""
    _, received = asked(host=host)
    lines = received.split(b"\r\n")
    assert [each for each in lines if each.lower().startswith(b"host:")] == [line]
    assert b"Connection: close" in lines
    assert not [each for each in lines if each.lower().startswith(b"accept-encoding:")]


def test_method_and_headers_are_sent() -> None:
    """For preflight requests: the method, and each header once."""
    headers: Mapping[str, str] = {"Origin": "https://app.example", "X-One": "1"}
    _, received = asked(OK, method="OPTIONS", headers=headers)
    assert received.startswith(b"OPTIONS / HTTP/1.1\r\n")
    assert b"\r\nOrigin: https://app.example\r\nX-One: 1\r\n" in received


def test_a_proxy_line_comes_before_everything() -> None:
    """A socket that expects the PROXY protocol gets its line first, before TLS as well; Apache wants addresses."""
    _, received = asked(proxy_protocol=True)
    line = rb"PROXY TCP4 127\.0\.0\.1 127\.0\.0\.1 \d+ \d+\r\n"
    assert re.match(line + rb"GET / HTTP/1\.1\r\n", received)
    with socket.create_server(("127.0.0.1", 0)) as server:
        begun: list[bytes] = []
        thread = threading.Thread(target=lambda: begun.append(_first_bytes(server)))
        thread.start()
        ask(question(server.getsockname()[1], tls=True, proxy_protocol=True))
        thread.join()
    assert re.match(line + rb"\x16", begun[0])


def _first_bytes(server: socket.socket) -> bytes:
    """Return a line and something behind it: the two may come one after the other."""
    with closing(server.accept()[0]) as connection:
        connection.settimeout(5)
        data = b""
        while not data.partition(b"\r\n")[2] and (more := connection.recv(1024)):
            data += more
    return data


def test_repeated_headers_are_all_kept() -> None:
    """In order, names in lower case: a header that two layers add is a mistake that must be seen."""
    reply = b"HTTP/1.1 204 No Content\r\nX-A: 1\r\nAccess-Control-Allow-Origin: *\r\nx-a: 2\r\n\r\n"
    answer, _ = asked(reply)
    assert answer.all("X-A") == ("1", "2")
    assert answer.header("x-A") == "1"
    assert answer.header("none") == ""
    assert [name for name, _ in answer.headers] == ["x-a", "access-control-allow-origin", "x-a"]


def test_a_long_body_is_cut_off() -> None:
    """The first 64 KiB are enough to tell who answers."""
    answer, _ = asked(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 100_000)
    assert answer.body == b"x" * 65536


@pytest.mark.parametrize(
    "more",
    [
        {"target": "/ü"},
        {"host": "ü€.example"},
        {"host": "two\r\nlines"},
        {"tls": True, "sni": "a" * 64 + ".example"},
        {"tls": True, "sni": "."},
    ],
    ids=["target", "host", "line break", "label", "dot"],
)
def test_what_cannot_be_sent_is_a_problem_too(more: dict[str, object]) -> None:
    """A name from somebody's configuration never ends the questions to the others."""
    answer, _ = asked(OK, **more)
    assert answer.problem
    assert answer.status == 0


def test_every_loopback_family_is_asked() -> None:
    """An IPv6 address is written with brackets in the Host header."""
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as server:
        got: list[bytes] = []
        thread = threading.Thread(target=lambda: got.append(_first_bytes(server)))
        thread.start()
        ask(Question("::1", server.getsockname()[1], tls=False, timeout=3))
        thread.join()
    assert got[0].startswith(b"GET / HTTP/1.1\r\nHost: [::1]\r\n")
