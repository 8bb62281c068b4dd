"""The signing key of a server name: made once, kept in a file of our own, never replaced.

Palpo takes ``[keypair] document`` as standard base64 of an Ed25519 key's PKCS#8 form (RFC 8410) and keeps no
copy itself, so a key that is lost is lost for every server that knows this one.
"""

from __future__ import annotations

import base64
import os
import re
import tempfile
from pathlib import Path
from urllib.parse import quote

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from palpo_installer.errors import AnswersError, HostError
from palpo_installer.layout import Layout
from palpo_installer.secret import Secret

SERVER_NAME = re.compile(r"(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9][A-Za-z0-9.-]{0,229})(:[0-9]{1,5})?")
"""The grammar of a server name (Matrix spec, appendices, "Server Name")."""

_PKCS8 = re.compile(
    rb"\x30(?P<length>.)"  # a sequence
    rb"\x02\x01[\x00\x01]"  # version 1, or 2 with the public key added
    rb"\x30\x05\x06\x03\x2b\x65\x70"  # the algorithm, 1.3.101.112, is Ed25519
    rb"\x04\x22\x04\x20.{32}"  # the private key
    rb"(?P<public>\xa1\x23\x03\x21\x00.{32}|\x81\x21\x00.{32})?",
    re.DOTALL,
)
"""An Ed25519 key in PKCS#8 form (RFC 8410, section 7; RFC 5958), as Palpo reads it."""


def signing_key(layout: Layout, server_name: str) -> Secret:
    """Return the signing key of a server name; the first time it is made, and on disk before this returns.

    Returns:
        one line of base64, as ``[keypair] document`` takes it.

    Raises:
        AnswersError: the server name is none.
        HostError: the file is there and broken, or cannot be read or written.
    """
    return existing_key(layout, server_name) or _make(layout, server_name)


def existing_key(layout: Layout, server_name: str) -> Secret | None:
    """Return the key of a server name that was made earlier, None for none; never makes one.

    Raises:
        AnswersError: the server name is none.
        HostError: the file is there and cannot be read, or holds no key.
    """
    path = key_file(layout, server_name)
    try:
        document = path.read_text(encoding="ascii", errors="replace").strip()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise HostError(f"the signing key cannot be read: {error.strerror}", where=str(path)) from error
    if not is_signing_key(document):
        raise HostError(
            "the file is there but holds no signing key",
            where=str(path),
            next="Put it back from a backup, or the document of [keypair] in palpo.toml. Remove it only if this"
            " server name never federated: other servers do not trust a new key for an old name",
        )
    return Secret(document)


def key_file(layout: Layout, server_name: str) -> Path:
    """Return where the key of a server name is; brackets and colons are percent-encoded in the file's name.

    Raises:
        AnswersError: the server name is none, and could lead elsewhere.
    """
    if not SERVER_NAME.fullmatch(server_name):
        raise AnswersError(
            "this is no server name", where="names.server_name", next="It is a host name, with a port or without"
        )
    return layout.keys / quote(server_name, safe="")


def is_signing_key(document: str) -> bool:
    """Return whether a text is a key as Palpo takes it: standard base64 of PKCS#8, version 1 or 2."""
    try:
        der = base64.b64decode(document, validate=True)
    except ValueError:
        return False
    match = _PKCS8.fullmatch(der)
    return match is not None and match["length"][0] == len(der) - 2


def _make(layout: Layout, server_name: str) -> Secret:
    path = key_file(layout, server_name)
    der = Ed25519PrivateKey.generate().private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    document = base64.b64encode(der).decode("ascii")
    try:
        layout.etc.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        path.parent.chmod(0o700)
        _write_new(path, f"{document}\n".encode())
    except FileExistsError:
        return signing_key(layout, server_name)
    except OSError as error:
        raise HostError(f"the signing key cannot be stored: {error.strerror}", where=str(path)) from error
    return Secret(document)


def _write_new(path: Path, data: bytes) -> None:
    """Write a file that is there whole or not at all, also after a power cut, and never in place of another.

    Raises:
        FileExistsError: there is one already.
        OSError: it cannot be written.
    """
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        # Unlike a rename, a link does not replace what is there.
        os.link(temporary, path)
    finally:
        Path(temporary).unlink()
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
