"""What this version can do of what the questions offer: the one place to extend."""

from __future__ import annotations

from collections.abc import Mapping

from palpo_installer.answers import BaseDomain, Method

SUPPORTED: Mapping[str, frozenset[str]] = {
    "names.base_domain": frozenset(BaseDomain),
    "proxy.kind": frozenset({"nginx", "apache", "caddy", "haproxy"}),
    "certificates.method": frozenset({Method.HTTP_01, Method.FILES, Method.PROXY, Method.SELF_SIGNED}),
}
"""By key; a key that is not here is supported in all its choices."""

INSTEAD: Mapping[tuple[str, str], str] = {}
"""What to do instead, where naming the other choices is not enough."""


def is_supported(key: str, value: str) -> bool:
    """Return whether this version can do what a choice says."""
    return key not in SUPPORTED or value in SUPPORTED[key]
