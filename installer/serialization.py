"""Frozen values as JSON and back.

Unions of dataclasses carry the class name under ``kind``, so that a plan written by one process is the
same plan in another.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypeVar

from cattrs import transform_error
from cattrs.errors import BaseValidationError
from cattrs.preconf.json import make_converter
from cattrs.strategies import configure_tagged_union

Value = TypeVar("Value")

converter = make_converter(forbid_extra_keys=True)
converter.register_unstructure_hook(Path, str)
converter.register_structure_hook(Path, lambda text, _: Path(text))


def tag(union: Any) -> None:  # noqa: ANN401 - type checkers have no type for a union
    """Let each member of a union be told apart by its class name, also where there may be none."""
    configure_tagged_union(union, converter, tag_name="kind")
    structure, unstructure = converter.get_structure_hook(union), converter.get_unstructure_hook(union)
    optional = union | None
    converter.register_structure_hook(optional, lambda fields, _: None if fields is None else structure(fields, union))
    converter.register_unstructure_hook(optional, lambda value: None if value is None else unstructure(value))


def dump(value: object, declared: object = None) -> str:
    """Return a value as stable, indented JSON; ``declared`` is its type where that is a union."""
    plain = converter.unstructure(value, unstructure_as=declared)
    return encode(plain, indent=1, sort_keys=True).decode() + "\n"


def encode(plain: object, **form: Any) -> bytes:  # noqa: ANN401 - what json.dumps takes
    r"""Return JSON in UTF-8; ``form`` is as for ``json.dumps``.

    A file's name need not be UTF-8: its other bytes are surrogates in Python (PEP 383), and ``\udce9`` in JSON.
    """
    return json.dumps(plain, ensure_ascii=False, **form).encode(errors="backslashreplace")


def load(text: str, declared: type[Value]) -> Value:
    """Return the value of a JSON text that ``dump`` wrote.

    Raises:
        ValueError: the text is no JSON, or not of that type.
    """
    try:
        return converter.structure(json.loads(text), declared)
    except (BaseValidationError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError("; ".join(transform_error(error))) from error
