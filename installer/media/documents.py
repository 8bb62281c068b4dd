"""YAML as matrix-media-repo reads it: values with the file and the line that they stand in.

What its library (Go's yaml.v3) refuses is refused here too: the media repository does not start with it.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from palpo_installer.errors import HostError

BOOLEANS = {"true": True, "yes": True, "on": True, "y": True, "false": False, "no": False, "off": False, "n": False}
"""What it takes where a boolean is wanted, in small letters; the two of YAML 1.2 without quotes only."""

NOTHING, TEXT = "tag:yaml.org,2002:null", "tag:yaml.org,2002:str"
LARGEST = 1 << 63


@dataclass(frozen=True)
class Place:
    """Where something is said: the file, and the line in it, from 1."""

    file: Path
    line: int = 1


class _Loader(yaml.SafeLoader):
    """Refuses tables that name something twice, and takes over what ``<<`` refers to."""

    def compose_mapping_node(self, anchor: dict[Any, yaml.Node]) -> yaml.MappingNode:
        """Return a table."""
        node = super().compose_mapping_node(anchor)
        names = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        for position, (key, _) in enumerate(node.value):
            if isinstance(key, yaml.ScalarNode) and key.value in names[:position]:
                raise yaml.MarkedYAMLError(problem=f"{key.value} is there twice", problem_mark=key.start_mark)
        self.flatten_mapping(node)
        return node


class _Named(io.StringIO):
    """A text that knows its file, and with it every value that is read from it."""

    def __init__(self, text: str, name: str) -> None:
        super().__init__(text)
        self.name = name


def read(file: Path, data: bytes) -> yaml.MappingNode:
    """Return the table of a file, an empty one for an empty file.

    Raises:
        HostError: it is no YAML, or no table.
    """
    where = str(file)
    try:
        # Of several documents Go's library reads the first.
        root = next(iter(yaml.compose_all(_Named(data.decode(), where), Loader=_Loader)), None)
    except UnicodeDecodeError:
        raise HostError("is not UTF-8", where=where) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        reason = getattr(error, "problem", None) or "is no YAML"
        raise HostError(f"line {mark.line + 1}: {reason}" if mark else str(reason), where=where) from None
    except RecursionError:
        raise HostError("is nested too deeply", where=where) from None
    if root is None or root.tag == NOTHING:
        return laid_over()
    if not isinstance(root, yaml.MappingNode):
        raise HostError("says nothing", where=where)
    return root


def laid_over(*tables: yaml.Node | None) -> yaml.MappingNode:
    """Return one table of several: what a later one has at a key is there instead, as a whole."""
    pairs = [pair for table in tables if isinstance(table, yaml.MappingNode) for pair in table.value]
    return yaml.MappingNode("tag:yaml.org,2002:map", pairs)


def at(table: yaml.Node | None, key: str) -> yaml.Node | None:
    """Return what stands at a key; None for nothing, or an empty value, which leaves the default."""
    pairs = table.value if isinstance(table, yaml.MappingNode) else ()
    found = [value for name, value in pairs if isinstance(name, yaml.ScalarNode) and name.value == key]
    return found[-1] if found and found[-1].tag != NOTHING else None


def has(table: yaml.Node | None, key: str) -> bool:
    """Return whether a key is there, be it with an empty value."""
    pairs = table.value if isinstance(table, yaml.MappingNode) else ()
    return any(isinstance(name, yaml.ScalarNode) and name.value == key for name, _ in pairs)


def section(table: yaml.Node | None, key: str) -> yaml.Node | None:
    """Return the table at a key, None where there is none.

    Raises:
        HostError: what is there is something else.
    """
    found = at(table, key)
    if found is not None and not isinstance(found, yaml.MappingNode):
        raise _refused(found, f"{key} is no table")
    return found


def tables(table: yaml.Node | None, key: str) -> tuple[yaml.Node, ...]:
    """Return the tables of the list at a key, none where there is no list.

    Raises:
        HostError: what is there is something else.
    """
    found = at(table, key)
    listed = tuple(found.value) if isinstance(found, yaml.SequenceNode) else ()
    if found is not None and not (isinstance(found, yaml.SequenceNode) and all(map(_is_table, listed))):
        raise _refused(found, f"{key} is no list of tables")
    return listed


def text(table: yaml.Node | None, key: str, otherwise: str = "") -> str:
    """Return a text.

    Raises:
        HostError: it is none.
    """
    found = at(table, key)
    if found is None:
        return otherwise
    if not isinstance(found, yaml.ScalarNode):
        raise _refused(found, f"{key} is no text")
    return str(found.value)


def number(table: yaml.Node | None, key: str, otherwise: int) -> int:
    """Return a whole number, written in any way that YAML has: ``100_000``, ``0x10``, ``1e8``.

    Raises:
        HostError: it is none.
    """
    found, written = at(table, key), text(table, key).replace("_", "")
    if found is None:
        return otherwise
    amount = _whole(written) if _is_plain(found) else None
    if amount is None or abs(amount) >= LARGEST:
        raise _refused(found, f"{key} is no number")
    return amount


def boolean(table: yaml.Node | None, key: str, *, otherwise: bool) -> bool:
    """Return whether something is so.

    Raises:
        HostError: it is neither true nor false.
    """
    found, written = at(table, key), text(table, key).lower()
    if found is None:
        return otherwise
    if written not in BOOLEANS or (written in {"true", "false"} and not _is_plain(found)):
        raise _refused(found, f"{key} is neither true nor false")
    return BOOLEANS[written]


def place(node: yaml.Node) -> Place:
    """Return where a value begins."""
    return Place(Path(node.start_mark.name), node.start_mark.line + 1)


def _whole(written: str) -> int | None:
    """Return a whole number; with a 0 before it, it is an octal one."""
    try:
        return int(re.sub(r"^([-+]?)0(?=[0-7]+$)", r"\g<1>0o", written), 0)
    except ValueError:
        pass
    try:
        return int(float(written))
    except (ValueError, OverflowError):
        return None


def _is_plain(node: yaml.Node) -> bool:
    """Return whether a value stands there without quotes."""
    return isinstance(node, yaml.ScalarNode) and not node.style


def _is_table(node: yaml.Node) -> bool:
    return isinstance(node, yaml.MappingNode)


def _refused(node: yaml.Node, why: str) -> HostError:
    return HostError(f"line {place(node).line}: {why}", where=str(place(node).file))
