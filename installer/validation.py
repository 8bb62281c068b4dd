"""Addresses, ports, sizes, paths, URLs and contacts as typed: each accepted value is safe in every format we write.

Every function raises AnswersError without a key; the question that asked adds its own. What is accepted holds
nothing that could end a word or a directive in a configuration of nginx, HAProxy, systemd, a shell or TOML.
"""

from __future__ import annotations

import ipaddress
import posixpath
import re
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from palpo_installer.answers import Address
from palpo_installer.errors import AnswersError
from palpo_installer.naming import PORT, hidden_character, host_name, server_name

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
UNITS = {"": 1, "K": KIB, "KIB": KIB, "M": MIB, "MIB": MIB, "G": GIB, "GIB": GIB}
SMALLEST_SIZE, LARGEST_SIZE = MIB, GIB

ADDRESS = re.compile(r"(?:\[(?P<six>[^\]]*)\]|(?P<four>[^:\[\]]*)):(?P<port>[^:]*)", re.DOTALL)
SIZE = re.compile(r"(?P<number>[0-9]{1,12}) ?(?P<unit>[A-Za-z]*)", re.ASCII)
PATH = re.compile(r"/[A-Za-z0-9._@+,=~:/-]*", re.ASCII)
URL = re.compile(r"[A-Za-z0-9._~:/?\[\]@!&()*+,=%-]+", re.ASCII)
URL_HOST = re.compile(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|[0-9a-f:.]+", re.ASCII)
DATABASE_HOST = re.compile(r"[A-Za-z0-9._%:-]*", re.ASCII)
STRAY_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
LOCAL_PART = re.compile(r"[A-Za-z0-9_%+=&~-]+(?:\.[A-Za-z0-9_%+=&~-]+)*", re.ASCII)
MATRIX_LOCAL_PART = re.compile(r"[a-z0-9._=/+-]+", re.ASCII)
TOKEN = re.compile(r"[A-Za-z0-9._~-]{1,64}", re.ASCII)


def port(raw: str | int) -> int:
    """Return a TCP port."""
    text = str(raw)
    if not PORT.fullmatch(text) or int(text) > 65535:
        raise AnswersError("a port is a number from 1 to 65535", next="Type it without anything else, as in 8448")
    return int(text)


def address(text: str) -> Address:
    """Return an IP address with its port, normalised; names are refused, since they may change their meaning."""
    parts = ADDRESS.fullmatch(text)
    if parts is None:
        raise AnswersError("it is no address with a port", next="Type it as in 127.0.0.1:8008 or [::1]:8008")
    kind = ipaddress.IPv4Address if parts["six"] is None else ipaddress.IPv6Address
    literal = parts["four"] if parts["six"] is None else parts["six"]
    try:
        host = kind(literal)
    except ValueError:
        raise AnswersError(
            "what stands before the port is no IP address",
            next="Type it as in 127.0.0.1:8008 or [::1]:8008; a name may lead somewhere else tomorrow",
        ) from None
    if "%" in literal:
        raise AnswersError("it has a zone after %", next="Type an address that needs none")
    return Address(str(host), port(parts["port"]))


def size(raw: str | int) -> int:
    """Return a size in bytes from ``16MiB``, ``50M`` (the same unit) or a number of bytes."""
    parts = SIZE.fullmatch(str(raw))
    unit = UNITS.get(parts["unit"].upper()) if parts else None
    if parts is None or unit is None:
        raise AnswersError("it is no size", next="Type a whole number with MiB or GiB, as in 16MiB")
    number = int(parts["number"]) * unit
    if number < SMALLEST_SIZE:
        raise AnswersError("it is below 1 MiB, where ordinary photographs fail", next="Type 1MiB or more")
    if number > LARGEST_SIZE:
        raise AnswersError("it is above 1 GiB, the largest body that Palpo reads at all", next="Type 1GiB or less")
    return number


def shown_size(number: int) -> str:
    """Return bytes in the largest unit that loses nothing."""
    for name, unit in (("GiB", GIB), ("MiB", MIB), ("KiB", KIB)):
        if number % unit == 0:
            return f"{number // unit}{name}"
    return str(number)


def path(text: str) -> Path:
    """Return an absolute path of ordinary characters, without ``.``, doubled or trailing slashes."""
    if not text.startswith("/"):
        raise AnswersError("it is no absolute path", next="Begin with a slash, as in /etc/palpo/palpo.toml")
    if not PATH.fullmatch(text):
        raise AnswersError(
            "it has a character that configuration files read as their own",
            next="Use a path of letters, digits and . _ - @ + , = ~ :",
        )
    if ".." in text.split("/"):
        raise AnswersError("it goes up with ..", next="Type the path it leads to")
    plain = posixpath.normpath("/" + text.lstrip("/"))
    if plain == "/":
        raise AnswersError("it is the root of the file system", next="Type the path of a file or directory below it")
    return Path(plain)


def https_url(text: str) -> str:
    """Return an https URL."""
    return _url(text, ("https",), "https://")


def http_url(text: str) -> str:
    """Return a URL of a proxy, http or https."""
    return _url(text, ("http", "https"), "http:// or https://")


def _url(text: str, schemes: tuple[str, ...], beginning: str) -> str:
    parts = _split(text) if URL.fullmatch(text) else None
    if parts is None:
        raise AnswersError("it is no URL", next=f"Type one that begins with {beginning} and has no spaces or quotes")
    if parts.scheme not in schemes or not text.startswith(f"{parts.scheme}://"):
        raise AnswersError(f"it does not begin with {beginning}", next=f"Put {beginning} in front")
    if "@" in parts.netloc:
        raise AnswersError("it has a user name or password in it", next="Leave out the part up to @")
    return text


def _split(text: str) -> SplitResult | None:
    """Return the parts of a URL with a host and a possible port, None where it is no such URL.

    What urllib says is dropped: it repeats parts of the URL, which may be a password.
    """
    try:
        parts = urlsplit(text)
        named = URL_HOST.fullmatch(parts.hostname or "") is not None
        usable = named and parts.port != 0 and not parts.netloc.endswith(":")
    except ValueError:
        return None
    return parts if usable else None


def database_url(text: str) -> str:
    """Return a PostgreSQL URL (Palpo takes no other form); no error repeats any part of it."""
    following = "Type it as in postgres://palpo:PASSWORD@127.0.0.1:5432/palpo"
    if hidden_character(text):
        raise AnswersError("it has a space or a character that is not seen", next=following)
    if not text.startswith(("postgres://", "postgresql://")):
        raise AnswersError("it does not begin with postgres:// or postgresql://", next=following)
    parts = _database(text)
    if parts is None:
        raise AnswersError(
            "it cannot be read as a URL",
            next="In a password, write % as %25, / as %2F, @ as %40, : as %3A, # as %23, ? as %3F",
        )
    if not re.fullmatch(r"/[^/]+", parts.path):
        raise AnswersError("it does not end with the name of a database", next=following)
    return text


def _database(text: str) -> SplitResult | None:
    """Return the parts of a database's URL, None where it is none, or a password seems to end it early."""
    try:
        parts = urlsplit(text)
        early = parts.port == 0 or parts.fragment or "@" in parts.path + parts.query or parts.netloc.count("@") > 1
    except ValueError:
        return None
    named = DATABASE_HOST.fullmatch(parts.hostname or "")
    return parts if named and not early and not STRAY_PERCENT.search(text) else None


def email(text: str) -> str:
    """Return an e-mail address (RFC 5321, without quoted parts and rare characters)."""
    local, at, domain = text.rpartition("@")
    if not at or not LOCAL_PART.fullmatch(local) or len(local) > 64 or len(text) > 254:
        raise AnswersError("it is no e-mail address", next="Type it as in admin@example.com")
    try:
        host_name(domain)
    except AnswersError as error:
        raise AnswersError(f"after the @, {error.what}", next=error.next) from None
    return text


def contact(text: str) -> str:
    """Return an e-mail address, a Matrix ID (specification, "User Identifiers") or an https page."""
    if "://" in text:
        return https_url(text)
    if not text.startswith("@"):
        return email(text)
    local, _, domain = text[1:].partition(":")
    if not MATRIX_LOCAL_PART.fullmatch(local) or len(text) > 255:
        raise AnswersError("it is no Matrix ID", next="Type it as in @admin:example.com")
    try:
        server_name(domain)
    except AnswersError as error:
        raise AnswersError(f"after the colon, {error.what}", next=error.next) from None
    return text


def registration_token(text: str) -> str:
    """Return a token that clients can send (client-server API, "Token-authenticated registration")."""
    if not TOKEN.fullmatch(text):
        raise AnswersError("it is no registration token", next="Use 1 to 64 letters, digits and . _ ~ -")
    return text


def word(text: str) -> str:
    """Return a word of small letters, digits and hyphens, as the name of a plugin is."""
    if not re.fullmatch(r"[a-z0-9]+(?:-[a-z0-9]+)*", text):
        raise AnswersError("it is no such name", next="Use small letters, digits and hyphens")
    return text
