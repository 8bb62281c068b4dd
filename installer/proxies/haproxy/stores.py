"""Where frontends of somebody else's take their certificates from, and how ours come to them.

A directory takes one link more. A list (``crt-list``) takes a line at its end, for our names alone: what stands first
in it is shown to whoever asks without a name. Such a line has no comment, which HAProxy would take for more names; the
path of the certificate says whose it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from palpo_installer.errors import RefusedPlan
from palpo_installer.operations.lines import AddedLine
from palpo_installer.proxies.base import Lines
from palpo_installer.proxies.haproxy.configuration import Bind, CertificateList
from palpo_installer.proxies.haproxy.sharing import Shared
from palpo_installer.proxies.sockets import is_address


@dataclass(frozen=True)
class Stores:
    """What the sockets of a port show certificates from."""

    directories: tuple[Path, ...]
    lists: tuple[CertificateList, ...]


def stores(found: Sequence[Shared], base: str) -> Stores:
    """Return where certificates of ours go for a port that others have.

    Args:
        found: the frontends that have it, with TLS.
        base: ``crt-base``, empty for none.

    Raises:
        RefusedPlan: one loads single files, or has a list to which no line can be added.
    """
    taken = [_store(each, bind, base) for each in found for bind in _binds(each)]
    return Stores(
        tuple(dict.fromkeys(each for each in taken if isinstance(each, Path))),
        tuple({each.path: each for each in taken if isinstance(each, CertificateList)}.values()),
    )


def _binds(there: Shared) -> Iterator[Bind]:
    places = {(listen.file, listen.line) for listen in there.listens}
    yield from (bind for bind in there.frontend.binds if (bind.directive.file, bind.directive.line) in places)


def _store(there: Shared, bind: Bind, base: str) -> Path | CertificateList:
    directory = next((path for path in (Path(base, written) for written in bind.certificates) if path.is_dir()), None)
    if directory is not None:
        return directory
    section = there.frontend.section
    if not bind.lists:
        raise RefusedPlan(
            f"{section.kind} {section.name} loads its certificates one by one, so that ours cannot be added",
            where=bind.directive.where,
            next="Move them into a directory, and name that in its bind: crt /etc/haproxy/certs/; then plan again",
        )
    return bind.lists[-1]


def lines(wanted: Mapping[CertificateList, Mapping[Path, Iterable[str]]], own: Path) -> tuple[Lines, ...]:
    """Return what is missing of ours in lists of certificates, and what stands there and must go.

    Args:
        wanted: for each list our certificates with their names.
        own: the directory that certificates of ours are in, by which an earlier line is known.

    Raises:
        RefusedPlan: a line is missing that cannot be added.
    """
    found = []
    for there, certificates in wanted.items():
        texts = {_entry(path, names) for path, names in certificates.items()}
        standing = {" ".join(words) for words in there.entries if Path(words[0]).parent == own}
        missing = sorted(texts - standing)
        if missing and (reason := there.uneditable or ("" if there.end else "its last line has no end")):
            raise RefusedPlan(
                f"no certificate of ours can be added to this list of certificates: {reason}",
                where=str(there.path),
                next=f"Let it have {'; '.join(missing)} as its last line, then plan again",
            )
        added = tuple(AddedLine(text, there.end) for text in missing)
        if missing or standing - texts:
            found.append(Lines(there.path.resolve(), there.path, added, tuple(sorted(standing - texts))))
    return tuple(found)


def _entry(certificate: Path, names: Iterable[str]) -> str:
    """Return the line for a certificate; nobody can ask for an address by SNI (RFC 6066, section 3)."""
    return " ".join([str(certificate), *(name for name in dict.fromkeys(names) if not is_address(name.strip("[]")))])
