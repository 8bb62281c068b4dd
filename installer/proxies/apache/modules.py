"""The modules of Apache that a site of ours needs, and how each arrangement loads them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from palpo_installer.errors import RefusedPlan
from palpo_installer.proxies.apache.configuration import Apache
from palpo_installer.proxies.base import Link

PLAIN = ("authz_core", "alias", "headers", "setenvif")
"""For redirects, challenges and the marker."""

SECURE = (*PLAIN, "mime", "socache_shmcb", "ssl", "proxy", "proxy_http")
"""For TLS, and for passing requests on; mod_ssl of Debian wants ``mime``, ``setenvif`` and ``socache_shmcb``."""

HTTP2 = "http2"
"""Used where it is at hand and the way of processing requests goes with it (mod_http2, "How HTTP/2 works")."""

NEEDED = tuple(f"{name}_module" for name in SECURE)
"""What stands in ``<IfModule>`` for these comes alive with our site.

mod_rewrite is not among them: with it, rules in the ``.htaccess`` files of other sites would come alive as well.
"""

PACKAGES = {"ssl": "mod_ssl", "http2": "mod_http2"}
"""Modules that have a package of their own where Apache is ``httpd``."""


@dataclass(frozen=True)
class Loading:
    """How modules come to be loaded.

    Attributes:
        links: into ``mods-enabled`` (Debian).
        lines: for our own file, each in an ``<IfModule>`` (elsewhere): identifier and file.
    """

    links: tuple[Link, ...] = ()
    lines: tuple[tuple[str, str], ...] = ()


def has_http2(apache: Apache) -> bool:
    """Return whether HTTP/2 can be offered: mod_http2 takes part in no prefork."""
    return apache.mpm != "prefork" and (f"{HTTP2}_module" in apache.modules or _is_available(apache, HTTP2))


def loading(apache: Apache, names: Sequence[str]) -> Loading:
    """Return how these modules are loaded, those left out that are anyway.

    Raises:
        RefusedPlan: one of them is not installed.
    """
    if apache.arrangement == "debian":
        return Loading(links=tuple(link for name in names for link in _links(apache, name)))
    missing = [name for name in names if f"{name}_module" not in apache.unaided]
    for name in missing:
        _refuse_absent(apache, name)
    return Loading(lines=tuple((f"{name}_module", f"modules/mod_{name}.so") for name in missing))


def _links(apache: Apache, name: str) -> Iterator[Link]:
    """Yield the links of a module as a2enmod makes them; those that somebody made that way are the same."""
    loaded = f"{name}_module" in apache.modules
    if not loaded:
        _refuse_absent(apache, name)
    for file in (f"{name}.load", f"{name}.conf"):
        # Debian's http2.conf would offer HTTP/2 for every site.
        if file not in apache.available or file == f"{HTTP2}.conf":
            continue
        if not loaded or file in apache.enabled:
            yield Link(apache.server_root / "mods-enabled" / file, f"../mods-available/{file}")


def _is_available(apache: Apache, name: str) -> bool:
    return (f"{name}.load" if apache.arrangement == "debian" else f"mod_{name}.so") in apache.available


def _refuse_absent(apache: Apache, name: str) -> None:
    if not _is_available(apache, name):
        package = PACKAGES.get(name, "httpd")
        how = "apt-get install --reinstall apache2" if apache.arrangement == "debian" else f"dnf install {package}"
        raise RefusedPlan(f"Apache's module mod_{name} is not installed", next=f"Install it, e.g.: {how}")
