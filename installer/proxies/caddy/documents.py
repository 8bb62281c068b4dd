"""Caddy's configuration as JSON: objects and lists in it, by key. See caddyserver.com, "JSON Config Structure"."""

from __future__ import annotations


def at(value: object, key: str) -> dict[str, object]:
    """Return an object in an object, an empty one where there is none."""
    found = value.get(key) if isinstance(value, dict) else None
    return found if isinstance(found, dict) else {}


def section(parent: dict[str, object], key: str) -> dict[str, object]:
    """Return an object in an object, made where there is none."""
    found = parent.setdefault(key, {})
    if not isinstance(found, dict):
        parent[key] = found = {}
    return found


def listed(parent: dict[str, object], key: str) -> list[object]:
    """Return a list in an object, made where there is none."""
    found = parent.setdefault(key, [])
    if not isinstance(found, list):
        parent[key] = found = []
    return found
