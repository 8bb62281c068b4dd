"""Sizes and times as Caddy reads them. See caddyserver.com, "Caddyfile Concepts", and Go's time.ParseDuration."""

from __future__ import annotations

import re

UNITS = {
    "": 1, "b": 1, "kb": 1000, "mb": 1000**2, "gb": 1000**3, "k": 1000, "m": 1000**2, "g": 1000**3,
    "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30, "ki": 1 << 10, "mi": 1 << 20, "gi": 1 << 30,
}  # fmt: skip
SECONDS = {"ns": 1e-9, "us": 1e-6, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def bytes_of(text: str) -> int | None:
    """Return a size such as ``10MB`` in bytes, None for none."""
    match = re.fullmatch(r"([\d.]+)\s*([a-z]*)", text.lower())
    try:
        return int(float(match[1]) * UNITS[match[2]]) if match else None
    except (KeyError, ValueError):
        return None


def seconds_of(text: str) -> float | None:
    """Return a time such as ``1m30s`` in seconds, None for none."""
    if not re.fullmatch(r"(\d+(\.\d+)?(ns|us|ms|s|m|h|d))+", text):
        return None
    parts = re.findall(r"(\d+(?:\.\d+)?)(ns|us|ms|s|m|h|d)", text)
    return sum(float(number) * SECONDS[unit] for number, unit in parts)
