"""media-repo.yaml: what it says about who it serves, where it listens and whom it asks, with the lines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from palpo_installer.answers import MEDIA_UPLOAD_SIZE

TRUE = frozenset({"true", "yes", "on", "y"})
"""What YAML 1.1 takes for true where a boolean is wanted, as the Go library does that matrix-media-repo uses."""

EVERYWHERE = "0.0.0.0"  # noqa: S104


@dataclass(frozen=True)
class ServedName:
    """An entry of ``homeservers``.

    Attributes:
        name: the server name that it must be asked by.
        cs_api: the URL at which it asks the homeserver who somebody is.
        signing_key: the file that it signs requests to other servers with, as written; empty for none.
        key_there: whether that file is there; None where that cannot be seen.
        line: of the entry, from 1.
    """

    name: str
    cs_api: str
    signing_key: str
    line: int
    key_there: bool | None = None


@dataclass(frozen=True)
class MediaConfiguration:
    """A media-repo.yaml that is there. It holds a database's password too, which is not kept.

    Attributes:
        path: where.
        address: ``repo.bindAddress``, what it listens on.
        port: ``repo.port``.
        use_forwarded_host: whether it prefers X-Forwarded-Host to Host.
        served: its homeservers.
        upload_size: ``uploads.maxBytes``, 0 for any size.
        token_seconds: ``accessTokens.maxCacheTimeSeconds``, how long it believes in a token without asking.
        repo_line: where ``repo`` begins, 1 where it does not.
        problem: why it cannot be used; empty when it can.
    """

    path: Path
    address: str = "127.0.0.1"
    port: int = 8000
    use_forwarded_host: bool = True
    served: tuple[ServedName, ...] = ()
    upload_size: int = MEDIA_UPLOAD_SIZE
    token_seconds: int = 0
    repo_line: int = 1
    problem: str = ""

    def of(self, server_name: str) -> ServedName | None:
        """Return the entry of a server name, None where there is none."""
        return next((each for each in self.served if each.name == server_name), None)


def parse(path: Path, data: bytes) -> MediaConfiguration:
    """Return what a media-repo.yaml says; what it leaves out has the default of matrix-media-repo."""
    try:
        root = yaml.compose(data.decode(), Loader=yaml.SafeLoader)
    except UnicodeDecodeError:
        return MediaConfiguration(path, problem="is not UTF-8")
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        reason = getattr(error, "problem", None) or "is no YAML"
        return MediaConfiguration(path, problem=f"line {mark.line + 1}: {reason}" if mark else str(reason))
    except RecursionError:
        return MediaConfiguration(path, problem="is nested too deeply")
    if not isinstance(root, yaml.MappingNode):
        return MediaConfiguration(path, problem="says nothing")
    repo = _at(root, "repo")
    usual = MediaConfiguration(path)
    forwarded = _text(root, "repo", "useForwardedHost")
    return MediaConfiguration(
        path,
        # A value that is there and empty is Go's way to say "everywhere".
        address=_text(root, "repo", "bindAddress")
        or (EVERYWHERE if _at(root, "repo", "bindAddress") else usual.address),
        port=_number(usual.port, root, "repo", "port"),
        use_forwarded_host=forwarded.lower() in TRUE if forwarded else usual.use_forwarded_host,
        served=tuple(_served(_at(root, "homeservers"))),
        upload_size=_number(usual.upload_size, root, "uploads", "maxBytes"),
        token_seconds=_number(0, root, "accessTokens", "maxCacheTimeSeconds"),
        repo_line=_line(repo) if repo else 1,
    )


def _served(node: yaml.Node | None) -> Iterator[ServedName]:
    for entry in node.value if isinstance(node, yaml.SequenceNode) else ():
        if isinstance(entry, yaml.MappingNode):
            name, api, key = (_text(entry, key) for key in ("name", "csApi", "signingKeyPath"))
            yield ServedName(name, api, key, _line(entry))


def _at(node: yaml.Node | None, *keys: str) -> yaml.Node | None:
    """Return what stands at a key; the last one of several, as with most readers of YAML."""
    for key in keys:
        pairs = node.value if isinstance(node, yaml.MappingNode) else ()
        found = [value for name, value in pairs if isinstance(name, yaml.ScalarNode) and name.value == key]
        node = found[-1] if found else None
    return node


def _text(node: yaml.Node, *keys: str) -> str:
    found = _at(node, *keys)
    empty = not isinstance(found, yaml.ScalarNode) or found.tag == "tag:yaml.org,2002:null"
    return "" if empty or found is None else str(found.value)


def _number(otherwise: int, node: yaml.Node, *keys: str) -> int:
    text = _text(node, *keys).replace("_", "")
    return int(text) if text.isdecimal() else otherwise


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1
