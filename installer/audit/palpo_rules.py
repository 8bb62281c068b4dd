"""Rules about palpo.toml beyond its schema. No sentence quotes a value that may be a secret."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from urllib.parse import urlsplit

from palpo_installer.audit import palpo_traps
from palpo_installer.audit.finding import Finding
from palpo_installer.audit.palpo_file import PalpoFile
from palpo_installer.homeserver.inspection import problems
from palpo_installer.homeserver.listeners import DEFAULT

PLACEHOLDERS = ("change.palpo.im", "your.server.name")
CEILING = 16 * 1024 * 1024

DEFAULT_RATES = {"rc_login": 0.003, "rc_registration": 0.17, "rc_password": 0.17, "rc_message": 10.0}
"""Requests per second that Palpo allows where nothing is said (Palpo, ``config``)."""


def schema(file: PalpoFile) -> Iterator[Finding]:
    """What Palpo's schema and its ``check()`` say: values that it refuses, keys that it ignores or never uses.

    Source: Palpo, ``config/server.rs``; the schema is checked against its structs.
    """
    handled = {"listen_addr", *(["server_name"] if file.said("server_name") in PLACEHOLDERS else [])}
    for problem in problems(dict(file.values)):
        if problem.key in handled:
            continue
        ignored = palpo_traps.DEAD if problem.message.endswith("no effect") else palpo_traps.UNKNOWN
        trap = palpo_traps.REFUSED if problem.stops else ignored
        cure = "Correct it." if problem.stops else "Take it out; nothing changes by that."
        yield file.finding(trap, problem.key, f"{problem.key}: {problem.message}", cure)


def listeners(file: PalpoFile) -> Iterator[Finding]:
    """Palpo reachable past the proxy: ``listen_addr``, no ``[[listeners]]``, or a public address without TLS.

    Source: Palpo, ``config``: the default is 0.0.0.0:8008, ``listen_addr`` is unknown to every tagged release.
    """
    cure, lines = "Listen on loopback:", ("[[listeners]]", 'address = "127.0.0.1:8008"')
    if "listen_addr" in file.values:
        text = "listen_addr is ignored"
        text += "" if "listeners" in file.values else f": Palpo listens on {DEFAULT}"
        yield file.finding(
            palpo_traps.PUBLIC if "listeners" not in file.values else palpo_traps.UNKNOWN,
            "listen_addr",
            text,
            cure,
            *lines,
        )
    elif "listeners" not in file.values and not file.contained:
        yield file.finding(
            palpo_traps.PUBLIC, "", f"there are no [[listeners]]: Palpo listens on {DEFAULT}", cure, *lines
        )
    for address, key in () if file.contained else file.addresses:
        if not _is_loopback(address):
            yield file.finding(
                palpo_traps.PUBLIC, key, f"Palpo listens on {address}, without TLS", cure, 'address = "127.0.0.1:8008"'
            )


def _is_loopback(address: str) -> bool:
    host = address.rpartition(":")[0].strip("[]")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def server_name(file: PalpoFile) -> Iterator[Finding]:
    """A server name that is missing, or still an example's.

    Source: Palpo, ``config/server.rs``: default and ``check()``.
    """
    name = file.said("server_name")
    if name is None or name in PLACEHOLDERS:
        what = "server_name is missing" if name is None else f"server_name is still {name}"
        yield file.finding(
            palpo_traps.NAMELESS,
            "server_name",
            what,
            "Set it before anybody has an account:",
            'server_name = "example.com"',
        )


def signing_key(file: PalpoFile) -> Iterator[Finding]:
    """No ``[keypair]``.

    Source: Palpo, ``config.rs`` and ``utils.rs``: a random key in memory at every start.
    """
    if not file.said("keypair", "document"):
        cure = "Make one, once, and keep a copy: openssl genpkey -algorithm ed25519 -outform DER | base64 -w0"
        yield file.finding(
            palpo_traps.KEYLESS,
            "keypair",
            "there is no signing key",
            cure,
            "[keypair]",
            'document = "..."',
            'version = "a_1"',
        )


def shared_limits(file: PalpoFile) -> Iterator[Finding]:
    """Rate limits at Palpo's defaults, behind a proxy.

    Source: Palpo, ``hoops.rs``: the limiter's key is the TCP peer; no forwarded header is read.
    """
    low = [name for name, usual in DEFAULT_RATES.items() if _is_low(file.said(name, "per_second"), usual)]
    if low:
        cure = "Limit at the proxy, and switch these off:"
        lines = tuple(line for name in low for line in (f"[{name}]", "per_second = 0.0", "burst = 5"))
        yield file.finding(
            palpo_traps.SHARED_LIMITS, low[0], f"{', '.join(low)}: all users share one limit", cure, *lines
        )


def _is_low(rate: object, usual: float) -> bool:
    return rate is None or (isinstance(rate, int | float) and 0 < rate <= usual)


def well_known(file: PalpoFile) -> Iterator[Finding]:
    """``well_known`` unset behind a proxy.

    Source: Palpo, ``config/server.rs``, ``well_known_client()`` and ``well_known_server()``.
    """
    lines = ("[well_known]", 'client = "https://matrix.example.com"', 'server = "matrix.example.com:443"')
    cure = "Say what clients and other servers shall be told:"
    if not file.said("well_known", "client"):
        trap = palpo_traps.NO_CLIENT if "client" in file.answered else palpo_traps.UNSAID
        yield file.finding(trap, "well_known", "well_known.client is not set", cure, *lines)
    elif not file.said("well_known", "server"):
        yield file.finding(palpo_traps.NO_SERVER, "well_known", "well_known.server is not set", cure, *lines[::2])


def storage(file: PalpoFile) -> Iterator[Finding]:
    """A storage directory that is relative, as Palpo's default is.

    Source: Palpo, ``config``: the root is ``./space``; its compose files mount another directory.
    """
    if file.said("storage", "backend") == "s3":
        return
    root = file.said("storage", "root")
    if not isinstance(root, str) or not root.startswith("/"):
        what = "storage.root is not set: ./space" if root is None else "storage.root is relative"
        cure = "Name the directory that the media are in now, with its whole path:"
        lines = ("[storage]", 'backend = "fs"', 'root = "/var/lib/palpo/media"')
        yield file.finding(palpo_traps.STORAGE, "storage.root", what, cure, *lines)


def permissions(file: PalpoFile) -> Iterator[Finding]:
    """A file that every account may read."""
    if file.mode & 0o004:
        cure = "Let its owner alone read it:"
        yield file.finding(
            palpo_traps.READABLE, "", "every account of this host may read it", cure, f"chmod o-rwx {file.path}"
        )


def registration(file: PalpoFile) -> Iterator[Finding]:
    """Registration open to everybody.

    Source: Palpo, ``routing/client/register.rs``: without a token the only stage is m.login.dummy.
    """
    if file.said("allow_registration") is True and not file.said("registration_token"):
        lines = ("allow_registration = false",)
        yield file.finding(
            palpo_traps.OPEN,
            "allow_registration",
            "registration is open",
            "Close it, or set a registration_token:",
            *lines,
        )


def upload_size(file: PalpoFile) -> Iterator[Finding]:
    """A promise of uploads that Palpo does not keep.

    Source: Palpo, ``hoops.rs``; the default of ``max_upload_size`` is 100 MiB.
    """
    size = file.said("max_upload_size")
    if size is None or (isinstance(size, int) and size > CEILING):
        what = f"max_upload_size is {size}" if size is not None else "max_upload_size is not set: 104857600"
        yield file.finding(
            palpo_traps.UPLOADS, "max_upload_size", what, "Say what works:", f"max_upload_size = {CEILING}"
        )


def database(file: PalpoFile) -> Iterator[Finding]:
    """A database behind TLS, or one on another host.

    Source: Palpo uses diesel-async with tokio-postgres NoTls, by reading.
    """
    if file.said("db", "enforce_tls") is True:
        cure = "Use a database on this host, and write:"
        yield file.finding(
            palpo_traps.DATABASE_TLS, "db.enforce_tls", "db.enforce_tls is on", cure, "enforce_tls = false"
        )
    url = file.said("db", "url")
    try:
        host = urlsplit(url).hostname if isinstance(url, str) else None
    except ValueError:
        host = None
    if host and not file.contained and not _is_loopback(f"{host}:0"):
        yield file.finding(
            palpo_traps.DATABASE_AWAY, "db.url", "the database is on another host", "Use a tunnel, or one on this host."
        )


RULES = (
    schema,
    listeners,
    server_name,
    signing_key,
    shared_limits,
    well_known,
    storage,
    permissions,
    registration,
    upload_size,
    database,
)
"""Every rule about palpo.toml."""
