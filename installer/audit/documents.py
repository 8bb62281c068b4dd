"""The well-known documents that nginx answers itself: what a location says, and what is wrong with it. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from palpo_installer import naming
from palpo_installer.errors import AnswersError
from palpo_installer.proxies.nginx.blocks import Block, Location, Server, answering, passing
from palpo_installer.proxies.nginx.tree import Directive

PATHS = {kind: f"/.well-known/matrix/{kind}" for kind in ("client", "server")}
REDIRECTS = frozenset({"301", "302", "303", "307", "308"})


@dataclass(frozen=True, eq=False)
class Document:
    """How a server block answers a well-known path.

    Attributes:
        kind: ``client`` or ``server``.
        block: what answers.
        directive: the ``return``, ``alias``, ``root`` or ``proxy_pass`` that does it.
        body: what it answers itself, None where that is a file that is not there, or somebody else's.
        redirect: where it redirects to, empty where it does not.
    """

    kind: str
    block: Block
    directive: Directive
    body: str | None
    redirect: str = ""

    @property
    def passed_on(self) -> bool:
        """Whether another server answers."""
        return self.directive.name == "proxy_pass"

    @property
    def values(self) -> Mapping[str, object] | None:
        """The document, None where it is no JSON object."""
        return values_of(self.body)

    @property
    def delegated(self) -> str:
        """What ``m.server`` says, empty for nothing usable."""
        return delegated_by(self.values) if self.kind == "server" else ""

    @property
    def base_url(self) -> str:
        """What ``m.homeserver`` says, empty for nothing usable."""
        return base_url_of(self.values) if self.kind == "client" else ""


def values_of(body: str | None) -> Mapping[str, object] | None:
    """Return the document of a body, None where it is no JSON object."""
    try:
        found = json.loads(body or "")
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def delegated_by(values: Mapping[str, object] | None) -> str:
    """Return what ``m.server`` says in a document, empty for nothing usable."""
    found = (values or {}).get("m.server")
    try:
        return naming.server_name(found) if isinstance(found, str) else ""
    except AnswersError:
        return ""


def base_url_of(values: Mapping[str, object] | None) -> str:
    """Return what ``m.homeserver`` says in a document, empty for nothing usable."""
    found = (values or {}).get("m.homeserver")
    url = found.get("base_url") if isinstance(found, dict) else None
    return url if isinstance(url, str) and re.match(r"https?://[^/\s]", url) else ""


def document(server: Server, kind: str, files: Mapping[Path, bytes]) -> Document | None:
    """Return how a server block answers a well-known path; None where it has nothing of its own for it.

    ``files`` are the contents of files that locations name.
    """
    path = PATHS[kind]
    block = server.block if server.block.all("return") else answering(server.block, path)
    returned = next(iter(block.all("return")), None)
    if returned is not None:
        return _returned(kind, block, returned)
    passed = passing(block)
    if passed is not None:
        return Document(kind, block, passed, None)
    place = file_of(block, path)
    if place is not None and (place[0] in files or (isinstance(block, Location) and "matrix" in block.path)):
        file, directive = place
        return Document(kind, block, directive, files[file].decode(errors="replace") if file in files else None)
    return None


def _returned(kind: str, block: Block, returned: Directive) -> Document | None:
    status, *rest = returned.arguments or ("",)
    if status.startswith("http"):
        return Document(kind, block, returned, None, redirect=status)
    if status in REDIRECTS and rest:
        return Document(kind, block, returned, None, redirect=rest[0])
    return Document(kind, block, returned, rest[0]) if status == "200" and rest else None


def file_of(block: Block, path: str) -> tuple[Path, Directive] | None:
    """Return the file that a location answers a path with, and what says so (``alias`` before ``root``)."""
    alias = next(iter(block.all("alias")), None)
    if alias is not None and isinstance(block, Location) and alias.arguments and block.modifier in {"", "=", "^~"}:
        return Path(alias.arguments[0] + path.removeprefix(block.path)), alias
    root = block.last("root")
    return (Path(root.arguments[0] + path), root) if root is not None and "$" not in root.arguments[0] else None


def files_named(servers: Iterable[Server]) -> tuple[Path, ...]:
    """Return the files that well-known paths lead to, there or not."""
    found = (
        place[0]
        for server in servers
        for path in PATHS.values()
        if (place := file_of(answering(server.block, path), path)) is not None
    )
    return tuple(dict.fromkeys(found))
