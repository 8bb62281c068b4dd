"""Matrix server names and host names: what is accepted as typed, and both forms of an international name.

The grammar is that of the Matrix specification, appendices, "Server Name"; DNS names in it follow RFC 1123,
section 2.1, and international ones are turned into ASCII by UTS #46, non-transitional. A server name is part of
every identifier for ever and compared byte by byte, so nothing is corrected silently: what has another normal
form is refused with that form.
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata

import idna

from palpo_installer.errors import AnswersError

LONGEST_SERVER_NAME = 230
"""Matrix specification, appendices, "Server Name": more leaves no room for the user's part."""

LONGEST_HOST_NAME = 253
"""RFC 1035, section 3.1, without the length octets and the root."""

LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
PORT = re.compile(r"[1-9][0-9]{0,4}", re.ASCII)
WITH_PORT = re.compile(r"(?P<host>\[[^\]]*\]|[^:\[\]]*)(?::(?P<port>[^:]*))?")

UNREACHABLE = ("invalid", "localhost")
"""Never in DNS (RFC 6761, sections 6.3 and 6.4)."""

EAST_ASIAN = frozenset({"LATIN", "CJK", "HIRAGANA", "KATAKANA", "HANGUL", "BOPOMOFO", "IDEOGRAPHIC"})
"""Scripts that stand together in one word (UTS #39, section 5.2, "highly restrictive")."""

MARKS = (
    ("://", "it is a web address", "Leave out everything up to ://"),
    ("@", "it has a user's part", "Type only what stands after it, as in example.com"),
    ("/", "it has a path", "Leave out everything from the first / on"),
    ("*", "a wildcard is not one name", "Type the whole name, as in matrix.example.com"),
    ("_", "an underscore cannot stand in a host name", "Use a hyphen, or another name"),
)
"""What is typed by mistake most often; the first that is found speaks."""


def server_name(text: str) -> str:
    """Return a server name in ASCII: a DNS name or an IP literal, with or without a port.

    Raises:
        AnswersError: it is none, or not in its normal form.
    """
    _refuse_marks(text)
    parts = WITH_PORT.fullmatch(text)
    if parts is None:
        raise AnswersError("it has too many colons", next="An IPv6 address stands in brackets, as in [2001:db8::1]")
    host, port = parts["host"], parts["port"]
    if host.startswith("["):
        name = f"[{_literal(host[1:-1], ipaddress.IPv6Address)}]"
    elif _ends_in_number(host):
        name = _literal(host, ipaddress.IPv4Address)
    else:
        name = _dns_name(host)
    if port is not None:
        name = f"{name}:{_port(port)}"
    if len(name) > LONGEST_SERVER_NAME:
        raise AnswersError(f"it is longer than {LONGEST_SERVER_NAME} characters", next="Choose a shorter name")
    return name


def host_name(text: str) -> str:
    """Return a DNS host name in ASCII, without a port.

    Raises:
        AnswersError: it is none, or not in its normal form.
    """
    _refuse_marks(text)
    name, colon, _ = text.partition(":")
    if is_literal(text) or text.count(":") > 1:
        raise AnswersError("an IP address is not a name", next="Type a name that leads to it, as in matrix.example.com")
    if colon:
        raise AnswersError("a port does not belong here", next=f"Type {name}" if name else "Type the name alone")
    return _dns_name(name)


def is_literal(name: str) -> bool:
    """Return whether an accepted name, with or without a port, is an IP address."""
    return name.startswith("[") or _ends_in_number(name.partition(":")[0])


def hidden_character(text: str) -> str:
    """Return the Unicode name of the first character that is not seen as one, empty for none.

    These are spaces, control and format characters (bidirectional ones and those without width among them),
    and code points without a meaning.
    """
    for character in text:
        if unicodedata.category(character)[0] in "CZ":
            return unicodedata.name(character, f"U+{ord(character):04X}").lower()
    return ""


def _refuse_marks(text: str) -> None:
    if not text:
        raise AnswersError("it is empty", next="Type a name, as in example.com")
    hidden = hidden_character(text)
    if hidden:
        raise AnswersError(f"it contains a character that is not seen ({hidden})", next="Type the name by hand")
    for mark, what, following in MARKS:
        if mark in text:
            raise AnswersError(what, next=following)


def _ends_in_number(host: str) -> bool:
    """Return whether programs take a host for an IPv4 address (WHATWG URL, "ends in a number")."""
    last = host.removesuffix(".").rpartition(".")[2]
    return re.fullmatch(r"[0-9]+|0[xX][0-9a-fA-F]*", last) is not None


def _literal(text: str, kind: type[ipaddress.IPv4Address | ipaddress.IPv6Address]) -> str:
    try:
        address = kind(text)
    except ValueError:
        raise AnswersError(
            "it is no complete IP address", next="Type a name, or an address as in 192.0.2.1 or [2001:db8::1]"
        ) from None
    if address.is_unspecified or address.is_loopback or address.is_multicast or "%" in text:
        raise AnswersError("no other host reaches this address", next="Type a public address, or better a name")
    if str(address) != text:
        following = f"Type [{address}]" if address.version == 6 else f"Type {address}"
        raise AnswersError("this address has another usual form", next=following)
    return text


def _port(text: str) -> str:
    if not PORT.fullmatch(text) or int(text) > 65535:
        raise AnswersError(
            "the port after the colon is a number from 1 to 65535, without zeros in front",
            next="Leave out the colon where the name has no port",
        )
    return text


def _dns_name(text: str) -> str:
    if text.endswith("."):
        raise AnswersError("it ends with a dot", next=f"Type {text.rstrip('.')}" if text.strip(".") else "")
    if len(text) > LONGEST_HOST_NAME:
        raise AnswersError(f"it is longer than {LONGEST_HOST_NAME} characters", next="Choose a shorter name")
    labels = text.split(".")
    if "" in labels:
        raise AnswersError("there is nothing before one of its dots", next="Type it as in example.com")
    for label in labels:
        _refuse_label(label)
    ascii_form, shown = _forms(text)
    if text != ascii_form and unicodedata.normalize("NFC", text) != shown:
        raise AnswersError("it has capitals, or characters with a plainer form", next=f"Type {shown}")
    if len(ascii_form) > LONGEST_HOST_NAME or not all(LABEL.fullmatch(label) for label in ascii_form.split(".")):
        raise AnswersError("it is no host name", next="Use letters, digits, hyphens and dots")
    if "." not in ascii_form:
        raise AnswersError(
            "it is one word, which other hosts cannot find", next=f"Type the whole name, as in {text}.example.com"
        )
    if ascii_form.rpartition(".")[2] in UNREACHABLE:
        raise AnswersError("no other host can ever find this name", next="Type a name of a domain that is yours")
    for label in shown.split("."):
        _refuse_mixture(label)
    return ascii_form


def _refuse_label(label: str) -> None:
    if label.startswith("-") or label.endswith("-"):
        raise AnswersError(f"{label} begins or ends with a hyphen", next="Leave that hyphen out")
    if len(label) > 63:
        raise AnswersError("a part between two dots is longer than 63 characters", next="Choose a shorter one")
    if label[2:4] == "--" and not label.lower().startswith("xn--"):
        raise AnswersError(
            f"{label} has hyphens in third and fourth place, which DNS reserves (RFC 5891, section 4.2.3.1)",
            next="Choose another name",
        )
    for character in label:
        if character.isascii() and not (character.isalnum() or character == "-"):
            raise AnswersError(f"{character} cannot stand in a host name", next="Use letters, digits, hyphens and dots")


def _forms(text: str) -> tuple[str, str]:
    try:
        ascii_form = idna.encode(text, uts46=True, transitional=False).decode("ascii")
        return ascii_form, idna.decode(ascii_form)
    except UnicodeError as error:
        raise AnswersError(
            f"it is no international host name ({error})", next="Use letters, digits, hyphens and dots"
        ) from None


def _refuse_mixture(label: str) -> None:
    """Refuse scripts that are mixed to look like another name, as Cyrillic letters among Latin ones."""
    scripts = {
        re.split("[ -]", unicodedata.name(character, "UNKNOWN"))[0] for character in label if character.isalpha()
    }
    if len(scripts) > 1 and not scripts <= EAST_ASIAN:
        mixed = " and ".join(sorted(script.capitalize() for script in scripts))
        raise AnswersError(f"{label} mixes {mixed} letters", next="Use one script in each part of the name")
