"""What in somebody else's virtual host keeps our answers out.

How far each rule reaches was tried on Apache 2.4.71 (tests/lab/test_apache_guests.py). Our line is the first in the
virtual host, and what it includes answers while a request is translated: before access, passwords, ``.htaccess`` and
files. So this is what remains:

- where mod_rewrite is loaded, nothing in the virtual host answers before it, unless its rules are inherited in front
  of ours, or it is off there; but rules of the site that were never switched on would come alive.
- without it, ``ProxyPass`` in a ``<Location>`` is looked at before that of the virtual host, and ``Redirect`` in one
  before that of the virtual host.
- what is in a ``<Location>`` as ``Redirect`` takes files too, and so the proofs of certificates.
- ``SSLVerifyClient require`` decides before there is a request.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from palpo_installer.proxies.apache.directive import Directive
from palpo_installer.proxies.virtual_hosts import Conflict
from palpo_installer.site import CHALLENGE_PATH, MARKER_PATH, Challenge, Closed, FixedJson, Guest

REWRITES = frozenset({"rewriterule", "rewritecond"})


def conflicts(guest: Guest, section: Directive, top: Directive, modules: tuple[str, ...]) -> tuple[Conflict, ...]:
    """Return everything in a virtual host that is at odds with the answers of a guest.

    Args:
        guest: what is answered.
        section: the virtual host, without what our own file brought into it.
        top: the whole configuration.
        modules: those that are loaded.
    """
    paths = tuple(dict.fromkeys(_paths(guest)))
    rewriting = "rewrite_module" in modules and section.last("rewriteengine").lower() != "off"
    return (
        *_clients(guest, section, top, paths),
        *(_rewriting(section, top, paths) if rewriting else _translation(section, paths)),
        *(_challenges(section, rewriting=rewriting) if _has_challenge(guest) else ()),
    )


def _has_challenge(guest: Guest) -> bool:
    return any(isinstance(route, Challenge) for route in guest.routes)


def _paths(guest: Guest) -> Iterator[str]:
    yield MARKER_PATH
    for route in guest.routes:
        match route:
            case FixedJson(path=path) | Closed(match=path):
                yield path if isinstance(path, str) else path.path


def _clients(guest: Guest, section: Directive, top: Directive, paths: tuple[str, ...]) -> Iterator[Conflict]:
    found = section.all("sslverifyclient") or top.all("sslverifyclient")
    if guest.tls and found and found[-1].arguments[:1] == ("require",):
        yield Conflict(
            "the site refuses everybody without a client certificate, before any path is looked at",
            found[-1].where,
            "Write SSLVerifyClient optional here, and in the site's own <Location /> and <Directory>: "
            "Require expr \"%{SSL_CLIENT_VERIFY} == 'SUCCESS'\"",
            paths,
        )


def _rewriting(section: Directive, top: Directive, paths: tuple[str, ...]) -> Iterator[Conflict]:
    """Yield what ours would switch on, and what comes before ours."""
    rules = [each for each in section.block if each.name in REWRITES]
    on = (section.last("rewriteengine") or top.last("rewriteengine")).lower() == "on"
    if rules and not on:
        yield Conflict(
            "these rules of mod_rewrite are without effect now, since nothing switches them on; ours need it on",
            rules[0].where,
            "Remove them, or write RewriteEngine on or off above them, whichever is meant",
            paths,
        )
    for options in section.all("rewriteoptions"):
        if {"inheritbefore", "inheritdownbefore"} & {each.lower() for each in options.arguments}:
            yield Conflict(
                "RewriteOptions puts rules of the main server before those of the site, ours too",
                options.where,
                "Should our paths not answer, write RewriteOptions Inherit",
                paths,
                certain=False,
            )


def _translation(section: Directive, paths: tuple[str, ...]) -> Iterator[Conflict]:
    """Yield what answers before us where mod_rewrite does not."""
    for location in section.within("location"):
        prefix = (location.arguments or ("",))[0]
        met = tuple(path for path in paths if _covers(prefix, path))
        for each in location.block:
            if met and each.name in {"proxypass", "proxypassmatch"} and each.arguments[:1] != ("!",):
                out = "; ".join(f"<Location {path}> ProxyPass ! </Location>" for path in met)
                yield Conflict(
                    f"ProxyPass in <Location {prefix}> takes every request",
                    each.where,
                    f"Write ProxyPass {prefix} … outside of <Location>, or below it, one line for each part: {out}",
                    met,
                )
            if met and each.name.startswith("redirect"):
                yield _redirect(each, prefix, met)
    for location in section.within("locationmatch"):
        for each in location.block:
            if each.name in {"proxypass", "proxypassmatch", "redirect", "redirectmatch"}:
                yield Conflict(
                    f"{each.name} in <LocationMatch> may take our paths, which cannot be read from the file",
                    each.where,
                    "Should our paths not answer, let its expression leave out /.well-known",
                    paths,
                    certain=False,
                )


def _challenges(section: Directive, *, rewriting: bool) -> Iterator[Conflict]:
    """Yield what keeps proofs from being found, which are files."""
    path = f"{CHALLENGE_PATH}/"
    if not rewriting:
        yield Conflict(
            "without mod_rewrite, proofs of ours cannot stand beside those that the site has itself",
            section.where,
            "Load it (a2enmod rewrite; it is off in this virtual host where RewriteEngine off says so), or choose "
            "certificates.base_domain = site",
            (path,),
        )
        return
    for location in section.within("location"):
        prefix = (location.arguments or ("",))[0]
        for each in location.block:
            if each.name.startswith("redirect") and _covers(prefix, path):
                yield _redirect(each, prefix, (path,))


def _redirect(directive: Directive, prefix: str, paths: tuple[str, ...]) -> Conflict:
    target = next((each for each in directive.arguments if "://" in each), "")
    return Conflict(
        f"{' '.join(('Redirect', *directive.arguments))} in <Location {prefix}> answers before any file is looked for",
        directive.where,
        f"Write it outside of <Location>: Redirect permanent {prefix} {target or '…'}",
        paths,
        redirect=target,
    )


def _covers(prefix: str, path: str) -> bool:
    """Return whether a ``<Location>`` has a path: it, and all below it; ``~`` and wildcards count as having it."""
    if prefix == "~" or re.search(r"[*?\[]", prefix):
        return True
    return path == prefix or path.startswith(prefix if prefix.endswith("/") else f"{prefix}/")
