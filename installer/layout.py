"""Every path and port of a run, in one frozen value."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from palpo_installer.errors import HostError

FILE = "layout.json"
"""What a private copy of a host has in its root beside the host's own files."""


@dataclass(frozen=True)
class Layout:
    """Where things are on a host.

    All paths are real paths of this machine: for a host's private copy under a directory they begin
    with that directory, also where they are written into a configuration.

    Attributes:
        root: ``/``, or the directory that holds the copy of a host.
        http_port: the port of plain HTTP, which the certificate authority asks.
        https_port: the port of HTTPS that clients and, by well-known, other servers use.
        addresses: what new sockets are bound to, wildcards of both families on a host.
        private: whether the root holds a host that lives by itself, as the demonstration's does. Of this machine's
            processes and sockets only those count that were started with its files; every name leads to its
            addresses and no name server is asked; no service manager is told anything.
    """

    root: Path = Path("/")
    http_port: int = 80
    https_port: int = 443
    addresses: tuple[str, ...] = ("0.0.0.0", "::")  # noqa: S104
    private: bool = False

    @classmethod
    def below(cls, root: Path) -> Layout:
        """Return the layout of a directory: that of the private copy it holds, else that of a host.

        Raises:
            HostError: its ``layout.json`` cannot be used.
        """
        path = root / FILE
        if root == Path("/") or not path.exists():
            return cls(root)
        try:
            said = json.loads(path.read_text())
            ports, addresses = (int(said["http_port"]), int(said["https_port"])), tuple(map(str, said["addresses"]))
        except (OSError, ValueError, LookupError, TypeError) as error:
            raise HostError(f"is no layout of a host's copy: {error}", where=str(path)) from error
        return cls(root, *ports, addresses, private=True)

    def save(self) -> None:
        """Write the ``layout.json`` of a private copy, by which every command with ``--root`` finds its ports."""
        said = {"http_port": self.http_port, "https_port": self.https_port, "addresses": self.addresses}
        (self.root / FILE).write_text(json.dumps(said, indent=1) + "\n")

    def arguments(self) -> tuple[str, ...]:
        """Return what a command needs to work on the same host."""
        return () if self.root == Path("/") else ("--root", str(self.root))

    def at(self, absolute: str | Path) -> Path:
        """Return the place of a host's absolute path under this layout."""
        return self.root / str(absolute).lstrip("/")

    @property
    def etc(self) -> Path:
        """Our own configuration."""
        return self.at("/etc/palpo-installer")

    @property
    def answers(self) -> Path:
        """The answers of the last complete run (0600)."""
        return self.etc / "answers.toml"

    @property
    def keys(self) -> Path:
        """Signing keys, one file for each server name (0600), never deleted."""
        return self.etc / "keys"

    @property
    def acme(self) -> Path:
        """Certbot's configuration directory: account and lineages."""
        return self.etc / "acme"

    @property
    def authority(self) -> Path:
        """The local authority and its certificates, for trying out."""
        return self.etc / "self-signed"

    @property
    def state(self) -> Path:
        """What we remember between runs."""
        return self.at("/var/lib/palpo-installer")

    @property
    def runs(self) -> Path:
        """One directory for each run: plan, journal, copies."""
        return self.state / "runs"

    @property
    def ledger(self) -> Path:
        """Every certificate order ever tried."""
        return self.state / "ledger.jsonl"

    @property
    def webroot(self) -> Path:
        """Where the answers to HTTP-01 challenges are written."""
        return self.state / "webroot"

    @property
    def edits(self) -> Path:
        """Copies of files that were edited by hand, and given up in an uninstall (0700)."""
        return self.state / "edited"

    @property
    def packages(self) -> Path:
        """The packages that we added to this host (0600)."""
        return self.state / "packages.json"

    @property
    def lock(self) -> Path:
        """The file whose kernel lock makes a run the only one."""
        return self.state / "lock"

    @property
    def log(self) -> Path:
        """Our logs."""
        return self.at("/var/log/palpo-installer")

    @property
    def systemd(self) -> Path:
        """Where units of the administrator live."""
        return self.at("/etc/systemd/system")

    @property
    def cron(self) -> Path:
        """Where cron jobs of packages live."""
        return self.at("/etc/cron.d")
