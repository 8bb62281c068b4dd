"""The proxy as a package: installed before a plan, purged after an uninstall; each with a consent of its own."""

from __future__ import annotations

import os
from collections.abc import Callable

import click

from palpo_installer.errors import AnswersError
from palpo_installer.facts import Facts
from palpo_installer.host import Host
from palpo_installer.packages.catalogue import Offer, offer_for, possible, recommended
from palpo_installer.packages.installing import install, preview
from palpo_installer.packages.purging import Judged, judge, purge
from palpo_installer.session import Session, begin

LATER = "They stay. To purge them later: palpo-installer uninstall --purge-packages"


def with_proxy(host: Host, raw: dict[str, object], session: Session, wanted: str | None, *, yes: bool) -> Session:
    """Return the session on a host that has its proxy: installed first where that was asked for, or is agreed to.

    Args:
        host: the machine.
        raw: the answers as given.
        session: what was found, and the answers.
        wanted: the proxy that shall be installed, None where nobody said so.
        yes: whether nobody is to be asked; that alone installs nothing.

    Raises:
        AnswersError: the answers are for another proxy, or it cannot be installed by this version.
        RefusedPlan: installing it is not ours to do here.
        HostError: it failed.
    """
    chosen = str(raw.get("proxy.kind") or "")
    if wanted is not None:
        offer = offer_for(wanted)
        if chosen not in {"", wanted}:
            raise AnswersError(
                f"the answers say {chosen}", where="--install-proxy", next=f"Add --set proxy.kind={wanted}"
            )
        if session.facts.proxy(wanted) is not None:
            click.echo(f"{offer.title} is installed already.")
            return begin(host, {**raw, "proxy.kind": wanted})
        show(host, offer, session.facts, click.echo)
    elif session.facts.proxy(session.answers.proxy) is None and not yes and os.isatty(0):
        asked = _asked(host, session.facts, chosen)
        if asked is None:
            return session
        offer = asked
    else:
        return session
    came = install(host, offer, lambda line: click.echo(f"  {line}"))
    click.echo(f"Installed: {', '.join(came)}")
    return begin(host, {**raw, "proxy.kind": offer.kind})


def show(host: Host, offer: Offer, facts: Facts, say: Callable[[str], None]) -> None:
    """Say what an installation would do."""
    for line in preview(host, offer, facts.listeners).lines():
        say(f"  {line}")


def _asked(host: Host, facts: Facts, chosen: str) -> Offer | None:
    """Return the proxy that somebody at the terminal wants to have installed, None for none."""
    offers = tuple(each for each in possible() if each.kind == chosen) if chosen else recommended()
    for offer in offers:
        click.echo(f"{offer.title} is not installed{f' ({offer.reason})' if offer.reason else ''}.")
        if preview(host, offer, ()).refused:
            continue
        show(host, offer, facts, click.echo)
        if click.confirm(f"Install {offer.title} now?", default=False):
            return offer
    return None


def purge_packages(host: Host, wanted: bool | None, *, yes: bool) -> int:
    """Purge what we installed, where somebody says so; return the exit code.

    Args:
        host: the machine.
        wanted: what the option says, None where it was not given.
        yes: whether nobody is to be asked; that alone purges nothing.

    Raises:
        HostError: it failed.
    """
    judged = judge(host)
    for line in judged.lines():
        click.echo(line)
    if not judged.going:
        return 0
    if wanted is None and not yes and os.isatty(0):
        wanted = click.confirm("Remove these packages too?", default=False)
    if not wanted:
        click.echo(LATER)
        return 0
    purge(host, judged, lambda line: click.echo(f"  {line}"))
    click.echo(gone(judged))
    return 0


def gone(judged: Judged) -> str:
    """Return what was removed, in a sentence."""
    return f"Removed: {', '.join(judged.going)}"
