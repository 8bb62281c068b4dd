"""A real certificate authority for tests: pebble, with a web server certificate of its own and its own DNS.

Everything listens on ephemeral loopback ports. The CA asks for proofs at the port of a ``ProofServer``.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.ports import free_port

STARTED = 10.0
"""Seconds that a program gets to answer for the first time."""


class ProofServer(ThreadingHTTPServer):
    """Serves a directory on a loopback port, as a proxy serves the webroot.

    Attributes:
        asked: is set once somebody asked for a proof.
        gate: an answer waits until this is set, which it is unless a test clears it.
    """

    daemon_threads = True

    def __init__(self, webroot: Path) -> None:
        self.webroot = webroot
        self.asked = threading.Event()
        self.gate = threading.Event()
        self.gate.set()
        super().__init__(("127.0.0.1", 0), _ProofHandler)

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of a CA that did not wait for the answer."""

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.server_address[1])


class _ProofHandler(SimpleHTTPRequestHandler):
    server: ProofServer

    def translate_path(self, path: str) -> str:
        return str(self.server.webroot / path.lstrip("/"))

    def do_GET(self) -> None:
        if "acme-challenge" in self.path:
            self.server.asked.set()
            self.server.gate.wait(30)
        super().do_GET()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@contextlib.contextmanager
def proofs(webroot: Path) -> Iterator[ProofServer]:
    """Serve a directory until the end of the block."""
    with ProofServer(webroot) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server
        finally:
            server.gate.set()
            server.shutdown()
            thread.join()


@dataclass(frozen=True)
class Pebble:
    """A running certificate authority.

    Attributes:
        directory: the URL of its directory.
        ca_file: the PEM file of the authority that vouches for its web server.
        process: pebble itself.
    """

    directory: str
    ca_file: Path
    process: subprocess.Popen[bytes]

    def stop(self) -> None:
        """End the CA; its names and ports stay its own until the test ends."""
        self.process.terminate()
        self.process.wait(STARTED)


@contextlib.contextmanager
def pebble(directory: Path, http_port: int, settings: Mapping[str, object] | None = None) -> Iterator[Pebble]:
    """Start pebble and its DNS, in which every name has the address 127.0.0.1.

    Args:
        directory: for its files.
        http_port: where it asks for proofs.
        settings: further ones of its configuration.
    """
    for program in ("pebble", "pebble-challtestsrv"):
        assert shutil.which(program), f"{program} is missing; apt-get install pebble"
    chain, key = web_certificate(directory)
    port, management, dns, control = (free_port() for _ in range(4))
    configuration = {
        "listenAddress": f"127.0.0.1:{port}",
        "managementListenAddress": f"127.0.0.1:{management}",
        "certificate": str(chain),
        "privateKey": str(key),
        "httpPort": http_port,
        "tlsPort": 1,
        "ocspResponderURL": "",
        "externalAccountBindingRequired": False,
        "retryAfter": {"authz": 1, "order": 1},
        **(settings or {}),
    }
    file = directory / "pebble.json"
    file.write_text(json.dumps({"pebble": configuration}))
    names = ("pebble-challtestsrv", "-dns01", f"127.0.0.1:{dns}", "-management", f"127.0.0.1:{control}")
    others = ("-http01", "", "-https01", "", "-tlsalpn01", "", "-defaultIPv4", "127.0.0.1", "-defaultIPv6", "")
    ca = ("pebble", "-config", str(file), "-dnsserver", f"127.0.0.1:{dns}")
    quick = {"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0", "PEBBLE_AUTHZREUSE": "0"}
    with running((*names, *others), {}, control), running(ca, quick, port) as process:
        yield Pebble(f"https://127.0.0.1:{port}/dir", chain, process)


@contextlib.contextmanager
def running(argv: tuple[str, ...], environment: Mapping[str, str], port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program from the moment it listens on a loopback port until the end of the block."""
    process = subprocess.Popen(argv, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for_port(process, port)
        yield process
    finally:
        process.terminate()
        process.wait(STARTED)


def wait_for_port(process: subprocess.Popen[bytes], port: int) -> None:
    """Wait until a program listens."""
    deadline = time.monotonic() + STARTED
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.5):
            return
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.05)
    raise AssertionError(f"{process.args!r} does not listen on port {port}")


def web_certificate(directory: Path) -> tuple[Path, Path]:
    """Make a certificate for 127.0.0.1 that vouches for itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "pebble in a test")])
    begin = datetime.now(UTC) - timedelta(days=1)
    end = begin + timedelta(days=30)
    serial = x509.random_serial_number()
    address = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    builder = x509.CertificateBuilder(name, name, key.public_key(), serial, begin, end)
    certificate = builder.add_extension(address, critical=False).sign(key, hashes.SHA256())
    chain, secret = directory / "pebble.pem", directory / "pebble.key"
    chain.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    secret.write_bytes(key.private_bytes(*form))
    return chain, secret
