"""Whose certificates count, and whether a socket shows one that is valid for a name."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from palpo_installer.errors import HostError
from palpo_installer.verify.resolution import bare

Line = Callable[[socket.socket], bytes]
"""Makes the bytes that come before everything else on a connection."""


def no_line(_: socket.socket) -> bytes:
    """Return nothing."""
    return b""


@dataclass(frozen=True)
class Trust:
    """The authorities that are trusted, as a context that checks chains and names."""

    context: ssl.SSLContext

    def objection(self, address: str, port: int, name: str, timeout: float, line: Line = no_line) -> str:
        """Return why a client would not trust what an address shows for a name, empty where it would.

        ``line`` makes what comes before the handshake, such as a PROXY line. An IP literal is not sent as SNI and must
        be in the certificate as an IP address (RFC 6125, RFC 6066).
        """
        try:
            with socket.create_connection((address, port), timeout) as plain:
                plain.sendall(line(plain))
                with self.context.wrap_socket(plain, server_hostname=bare(name)):
                    return ""
        except ssl.SSLCertVerificationError as error:
            return _sentence(error, name)
        except (OSError, ValueError) as error:
            return f"no TLS connection comes about ({error})"


def trusting(authority: Path | None = None) -> Trust:
    """Return trust in the system's authorities, and in those of a PEM file beside them.

    Raises:
        HostError: the file cannot be used.
    """
    context = ssl.create_default_context()
    if authority is not None:
        try:
            context.load_verify_locations(authority)
        except OSError as error:
            raise HostError(f"the authority's certificate cannot be read: {error}", where=str(authority)) from error
    return Trust(context)


INCOMPLETE = "its chain is incomplete, or its authority is not one that is trusted"
"""What is said where OpenSSL finds no way to an authority that is trusted."""

_SENTENCES = {
    9: "it is not valid yet; is the clock right?",
    10: "it has expired",
    18: "it is self-signed",
    19: "its authority is not one that is trusted",
    20: INCOMPLETE,
    21: INCOMPLETE,
    62: "it is not for {name}",
    64: "it is not for {name}",
}
"""What OpenSSL's numbers mean: X509_V_ERR_* in x509_vfy.h."""


def _sentence(error: ssl.SSLCertVerificationError, name: str) -> str:
    return _SENTENCES.get(error.verify_code, error.verify_message).format(name=name)
