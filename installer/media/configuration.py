"""media-repo.yaml: what it says about who it serves, where it listens and whom it asks, with files and lines.

It is one file, or a directory whose files are laid over each other in the order of their names, each section as a
whole. A file that begins with ``homeserver: NAME`` counts for that server alone (matrix-media-repo,
``common/config/access.go``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from palpo_installer.answers import MEDIA_UPLOAD_SIZE
from palpo_installer.errors import HostError
from palpo_installer.media.documents import (
    TEXT,
    Place,
    at,
    boolean,
    has,
    laid_over,
    number,
    place,
    read,
    section,
    tables,
    text,
)
from palpo_installer.media.keys import SigningKey

EVERYWHERE = "0.0.0.0"  # noqa: S104
UNDEFINED = "https://UNDEFINED"
"""What it asks for a server that only a file of its own names, and without ``csApi``."""


@dataclass(frozen=True)
class ServedName:
    """A server that it serves.

    Attributes:
        name: the server name that it must be asked by.
        cs_api: the URL at which it asks the homeserver who somebody is.
        signing_key: the file that it signs requests to other servers with, as written; empty for none.
        place: where it is named.
        uploads_at: where its ``uploads`` are, the beginning of the file where they are not.
        tokens_at: where its ``accessTokens`` are, likewise.
        upload_size: ``uploads.maxBytes``, 0 for any size.
        token_seconds: ``accessTokens.maxCacheTimeSeconds``, how long it believes in a token without asking.
        key: which key that file holds; None where that cannot be seen.
    """

    name: str
    cs_api: str
    signing_key: str
    place: Place
    uploads_at: Place
    tokens_at: Place
    upload_size: int = MEDIA_UPLOAD_SIZE
    token_seconds: int = 0
    key: SigningKey | None = None


@dataclass(frozen=True)
class MediaConfiguration:
    """A configuration that is there. It holds a database's password too, which is not kept.

    Attributes:
        path: the file, or the directory.
        repo_at: where ``repo`` begins, the beginning of the file where it is not.
        address: ``repo.bindAddress``, what it listens on.
        port: ``repo.port``.
        use_forwarded_host: whether it prefers X-Forwarded-Host to Host.
        served: whom it serves.
        problem: why it cannot be used; empty when it can.
    """

    path: Path
    repo_at: Place
    address: str = "127.0.0.1"
    port: int = 8000
    use_forwarded_host: bool = True
    served: tuple[ServedName, ...] = ()
    problem: str = ""

    def of(self, server_name: str) -> ServedName | None:
        """Return the entry of a server name, None where there is none."""
        return next((each for each in self.served if each.name == server_name), None)


def unusable(path: Path, problem: str) -> MediaConfiguration:
    """Return a configuration of which nothing can be known, and why."""
    return MediaConfiguration(path, Place(path), problem=problem)


def parse(path: Path, files: Mapping[Path, bytes]) -> MediaConfiguration:
    """Return what a configuration says; what it leaves out has the default of matrix-media-repo.

    Args:
        path: the file or directory that it is started with.
        files: the bytes of the file, or of the directory's files in the order of their names.
    """
    main, own = laid_over(), dict[str, yaml.MappingNode]()
    try:
        for file, data in files.items():
            table = read(file, data)
            name = at(table, "homeserver")
            if isinstance(name, yaml.ScalarNode) and name.tag == TEXT:
                own[name.value] = laid_over(own.get(name.value), table)
            else:
                main = laid_over(main, table)
        return _configuration(path, main, own) if main.value or own else unusable(path, "says nothing")
    except HostError as error:
        within = f"{Path(error.where).name}: " if error.where != str(path) else ""
        return unusable(path, f"{within}{error.what}")


def _configuration(path: Path, main: yaml.Node, own: Mapping[str, yaml.Node]) -> MediaConfiguration:
    repo, usual = section(main, "repo"), MediaConfiguration(path, Place(path))
    return MediaConfiguration(
        path,
        place(repo) if repo else usual.repo_at,
        # A text that is there and empty is Go's way to say "everywhere".
        address=text(repo, "bindAddress", usual.address) or EVERYWHERE,
        port=number(repo, "port", usual.port),
        use_forwarded_host=boolean(repo, "useForwardedHost", otherwise=usual.use_forwarded_host),
        served=tuple(_served(main, own)),
    )


def _served(main: yaml.Node, own: Mapping[str, yaml.Node]) -> Iterator[ServedName]:
    """Yield those of the list with what a file of their own says instead, then those that only have such a file."""
    entries = {text(each, "name"): each for each in tables(main, "homeservers")}
    for name in dict.fromkeys((*entries, *own)):
        entry, alone = entries.get(name), own.get(name)
        told, around = laid_over(entry, alone), laid_over(main, alone)
        uploads, tokens = section(around, "uploads"), section(around, "accessTokens")
        begins = place(entry) if entry else place(at(alone, "homeserver") or laid_over())
        yield ServedName(
            name,
            text(told, "csApi", "" if entry else UNDEFINED),
            text(told, "signingKeyPath"),
            begins,
            place(uploads) if uploads else Place(begins.file),
            place(tokens) if tokens else Place(begins.file),
            # In a file of its own a section that does not say it means 0, not the default.
            upload_size=max(0, number(uploads, "maxBytes", 0 if has(alone, "uploads") else MEDIA_UPLOAD_SIZE)),
            token_seconds=number(tokens, "maxCacheTimeSeconds", 0),
        )
