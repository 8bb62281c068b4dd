"""One question to one socket: a fresh connection to an address and port, never through DNS."""

from __future__ import annotations

import hashlib
import http.client
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Question:
    """What is asked, and where.

    Attributes:
        address: an IP address.
        port: a TCP port.
        tls: whether to speak TLS.
        host: the Host header; empty for the bare address.
        sni: the server name in the TLS handshake; empty for none.
        target: the request target, sent as it stands.
        method: the request method.
        headers: further headers.
        proxy_protocol: whether the socket expects a PROXY line first.
        timeout: seconds for connecting and for each read.
    """

    address: str
    port: int
    tls: bool
    host: str = ""
    sni: str = ""
    target: str = "/"
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    proxy_protocol: bool = False
    timeout: float = 5.0


@dataclass(frozen=True)
class Answer:
    """What came back.

    Attributes:
        status: the HTTP status; 0 when no answer came.
        headers: pairs in order, names in lower case.
        body: at most the first 64 KiB.
        certificate: fingerprint (SHA-256, hex) of the leaf shown, empty without TLS or a handshake.
        chain: the leaf in DER form.
        problem: why no answer came: ``refused``, ``timed out``, ``closed without an answer``, ``tls: …``, or what
            else; empty when one came.
    """

    status: int = 0
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    certificate: str = ""
    chain: bytes = b""
    problem: str = ""

    def header(self, name: str) -> str:
        """Return the first value of a header, empty for none."""
        return next((value for key, value in self.headers if key == name.lower()), "")

    def all(self, name: str) -> tuple[str, ...]:
        """Return every value of a header."""
        return tuple(value for key, value in self.headers if key == name.lower())


class _Connection(http.client.HTTPConnection):
    """An HTTP connection over a socket that is already open, which sends targets as they are."""

    def __init__(self, stream: socket.socket, timeout: float) -> None:
        super().__init__("probe", timeout=timeout)
        self.sock = stream

    def _validate_path(self, url: str) -> None:
        """Let every target through: whether the proxy takes it is what is being asked."""


def ask(question: Question) -> Answer:
    """Ask and return the answer; a socket that does not answer is an answer too, never an exception."""
    leaf = b""
    try:
        with socket.create_connection((question.address, question.port), question.timeout) as plain:
            plain.settimeout(question.timeout)
            if question.proxy_protocol:
                plain.sendall(proxy_line(plain))
            stream = _handshake(plain, question) if question.tls else plain
            with stream:
                if isinstance(stream, ssl.SSLSocket):
                    leaf = stream.getpeercert(binary_form=True) or b""
                return _exchange(stream, question, leaf)
    # ValueError: a name, target or header that cannot be sent at all.
    except (OSError, http.client.HTTPException, ValueError) as error:
        fingerprint = hashlib.sha256(leaf).hexdigest() if leaf else ""
        return Answer(problem=_reason(error), certificate=fingerprint, chain=leaf)


def proxy_line(plain: socket.socket) -> bytes:
    """Return the line of a load balancer, with the addresses of the connection itself.

    Source: haproxy.org, "The PROXY protocol", 2.1. Not ``UNKNOWN``: mod_remoteip of Apache closes the connection then.
    """
    (source, from_port), (target, to_port) = plain.getsockname()[:2], plain.getpeername()[:2]
    family = "TCP6" if plain.family == socket.AF_INET6 else "TCP4"
    return f"PROXY {family} {source} {target} {from_port} {to_port}\r\n".encode()


def _handshake(plain: socket.socket, question: Question) -> ssl.SSLSocket:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    # Encoded here, as ssl would do it after it took over the socket: a name that has no such form would leave it open.
    name = question.sni.encode("idna").decode("ascii")
    return context.wrap_socket(plain, server_hostname=name or None)


def _exchange(stream: socket.socket, question: Question, leaf: bytes) -> Answer:
    connection = _Connection(stream, question.timeout)
    connection.putrequest(question.method, question.target, skip_host=True, skip_accept_encoding=True)
    bare = f"[{question.address}]" if ":" in question.address else question.address
    connection.putheader("Host", question.host or bare)
    for name, value in question.headers.items():
        connection.putheader(name, value)
    connection.putheader("Connection", "close")
    connection.endheaders()
    response = connection.getresponse()
    return Answer(
        status=response.status,
        headers=tuple((name.lower(), value) for name, value in response.getheaders()),
        body=response.read(65536),
        certificate=hashlib.sha256(leaf).hexdigest() if leaf else "",
        chain=leaf,
    )


def _reason(error: Exception) -> str:
    match error:
        case ConnectionRefusedError():
            return "refused"
        case TimeoutError():
            return "timed out"
        case ssl.SSLError():
            return f"tls: {error.reason or error}"
        case ConnectionError() | http.client.RemoteDisconnected():
            return "closed without an answer"
        case _:
            return str(error) or type(error).__name__
