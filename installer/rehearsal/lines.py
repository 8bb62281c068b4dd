"""Connections that are kept for many requests: a rehearsal sends hundreds, and a TLS handshake is most of each.

What must come over fresh connections (the marker, certificates, all that ``verify`` asks) goes through ``probe.ask``.
"""

from __future__ import annotations

import http.client
import socket
import ssl
from contextlib import suppress
from dataclasses import dataclass, field

from palpo_installer.probe import Answer, Question

Key = tuple[str, int, str, bool]

PIECE = 64 * 1024
"""Bytes that are sent at once: of a connection that ends within one call, TLS gives no answer out any more."""


@dataclass(frozen=True)
class Lines:
    """The connections, by address, port, SNI and whether they speak TLS."""

    kept: dict[Key, http.client.HTTPConnection] = field(default_factory=dict)

    def ask(self, question: Question, size: int = 0) -> Answer:
        """Ask and return the answer; where none comes, that is an answer too, and the next one has a new connection.

        Args:
            question: what is asked, and where.
            size: bytes of a body, all of which are sent before the answer is read.
        """
        key = (question.address, question.port, question.sni, question.tls)
        line = self.kept.setdefault(key, _Line(question))
        try:
            _send(line, question)
            if size:
                # The answer may come, and the connection end, before all of a body is sent.
                with suppress(OSError):
                    for sent in range(0, size, PIECE):
                        line.send(bytes(min(PIECE, size - sent)))
            response = line.getresponse()
            headers = tuple((name.lower(), value) for name, value in response.getheaders())
            answer = Answer(response.status, headers, response.read())
            if int(question.headers.get("Content-Length", size)) > size:
                # Who still waits for the rest of a body, as HAProxy 3.0 does, takes the next request for it.
                line.close()
            return answer
        except (OSError, http.client.HTTPException) as error:
            line.close()
            return Answer(problem=str(error) or type(error).__name__)

    def close(self) -> None:
        """Close them all."""
        for line in self.kept.values():
            line.close()


def first_line(question: Question) -> str:
    """Send a request over a connection of its own, and return the first line of what comes: interim answers count."""
    line = _Line(question)
    try:
        _send(line, question)
        with line.sock.makefile("rb") as stream:
            return stream.readline().decode("latin-1").rstrip()
    except (OSError, http.client.HTTPException) as error:
        return f"no answer ({error})"
    finally:
        line.close()


def _send(line: http.client.HTTPConnection, question: Question) -> None:
    line.putrequest(question.method, question.target, skip_host=True, skip_accept_encoding=True)
    for name, value in {"Host": question.host, **question.headers}.items():
        line.putheader(name, value)
    line.endheaders()


class _Line(http.client.HTTPConnection):
    """One connection, opened when it is needed and again where the other side has closed it."""

    def __init__(self, question: Question) -> None:
        super().__init__(question.address, question.port, timeout=question.timeout)
        self._question = question

    def connect(self) -> None:
        """Open it; whose certificate is shown is looked at by other checks."""
        question = self._question
        plain = socket.create_connection((question.address, question.port), question.timeout)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = self._handshake(plain) if question.tls else plain

    def _handshake(self, plain: socket.socket) -> ssl.SSLSocket:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        try:
            return context.wrap_socket(plain, server_hostname=self._question.sni or None)
        except OSError:
            plain.close()
            raise

    def _validate_path(self, url: str) -> None:
        """Let every target through: whether the proxy takes it is what is being asked."""
