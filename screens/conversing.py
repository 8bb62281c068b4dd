"""The conversation as the app holds it: takes answers, shows what follows, asks in the background what it needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from palpo_installer.audit.auditing import audit
from palpo_installer.conversation import PAGES, Given, Page, changed, talk
from palpo_installer.facts import Facts
from palpo_installer.facts import names as dns
from palpo_installer.facts.names import Name
from palpo_installer.questions import SECRET_KEYS
from palpo_installer.screens import looking
from palpo_installer.screens.app import Heard, Looked, TermsRead
from palpo_installer.screens.asides import Seen, aside, named
from palpo_installer.screens.form import Form
from palpo_installer.screens.found import Found
from palpo_installer.screens.frame import Step
from palpo_installer.screens.overview import overview
from palpo_installer.secret import Secret
from palpo_installer.session import survey

if TYPE_CHECKING:
    from palpo_installer.screens.app import Wizard

TYPING = 0.4
"""Seconds without a key after which a name is taken for typed to its end, and DNS is asked."""


@dataclass(frozen=True)
class Asked:
    """How an authority is asked for its terms: its directory, who vouches for its web server, an HTTP proxy."""

    directory: str
    ca_file: Path | None
    proxy: str


def look_around(app: Wizard) -> None:
    """Look at the host, then ask for the names that are known already; takes a moment."""
    facts = survey(app.host)
    app.post_message(Looked(facts, looking.look_back(app.host), audit(app.host, facts)))
    given = (str(app.given.get(key, "")) for key in ("names.server_name", "names.client_host"))
    names = tuple(dict.fromkeys(name for name in given if name))
    if names:
        app.post_message(Heard(dns.read(app.host, names)))


def learn(app: Wizard, names: tuple[Name, ...]) -> None:
    """Show what DNS says of names."""
    app.facts = looking.with_names(facts_of(app), names)
    show(app)


def facts_of(app: Wizard) -> Facts:
    """Return what is on the host; nothing is asked before it was looked at."""
    if app.facts is None:
        raise LookupError("the host was not looked at yet")
    return app.facts


def take(app: Wizard, key: str, value: object) -> None:
    """Take an answer and show what follows from it."""
    if isinstance(value, str):
        app.given = concealed(changed(app.given, key, value))
    else:
        app.given = {**app.given, key: value}
    show(app)
    if key.startswith("names."):
        app.set_timer(TYPING, partial(once_typed, app, key, value, ask_names))
    if key in {"certificates.directory", "certificates.ca_file", "certificates.proxy"}:
        app.terms.clear()
        app.set_timer(TYPING, partial(once_typed, app, key, value, ask_terms))


def concealed(given: Given) -> dict[str, object]:
    """Return answers whose secrets show themselves to nobody, a traceback included."""
    return {
        key: Secret(value) if key in SECRET_KEYS and isinstance(value, str) else value for key, value in given.items()
    }


def seen(app: Wizard) -> Seen:
    """Return the conversation as it stands."""
    facts, layout = facts_of(app), app.host.layout
    return Seen(app.given, talk(app.given, facts, layout), facts, layout, app.terms)


def form(app: Wizard, page: Page, *, pressing: bool = False) -> Form:
    """Return the screen of a page, and ask in the background for what it shows."""
    now = seen(app)
    if page.name != "names":
        ask_names(app)
    if page.name == "certificates":
        ask_terms(app)
    return Form(page, now.talk, aside(page, now), pressing=pressing)


def show(app: Wizard) -> None:
    """Show what there is now on the screen that is there, also below help that is open."""
    match next((screen for screen in reversed(app.screen_stack) if isinstance(screen, Step)), None):
        case Form() as form if form.is_mounted:
            now = seen(app)
            form.show(now.talk, aside(form.page, now))
        case Found() as found if found.is_mounted and app.past is not None:
            found.show(overview(facts_of(app), app.past, app.host.layout, app.audited))
        case _:
            pass


def once_typed(app: Wizard, key: str, value: object, ask: Callable[[Wizard], None]) -> None:
    """Ask, unless somebody typed on meanwhile."""
    if app.given.get(key, "") == value:
        ask(app)


def ask_names(app: Wizard) -> None:
    """Ask DNS for the names that it was not asked for yet."""
    known = {name.name for name in facts_of(app).names}
    missing = tuple(name for name in named(seen(app).situation) if name not in known)
    if missing:
        app.run_worker(partial(_ask_names, app, missing), thread=True, group="names")


def _ask_names(app: Wizard, names: tuple[str, ...]) -> None:
    app.post_message(Heard(dns.read(app.host, names)))


def ask_terms(app: Wizard) -> None:
    """Ask the authority for its terms, unless it was asked."""
    asked = asked_now(app)
    if asked.directory and asked.directory not in app.terms:
        app.run_worker(partial(_ask_terms, app, asked), thread=True, group="terms")


def _ask_terms(app: Wizard, asked: Asked) -> None:
    app.post_message(TermsRead(asked, looking.terms_of(asked.directory, asked.ca_file, asked.proxy)))


def asked_now(app: Wizard) -> Asked:
    """Return which authority is to be asked, and how, by the answers as they stand."""
    situation = seen(app).situation
    ca_file, proxy = situation.get("certificates.ca_file", Path), situation.get("certificates.proxy", str)
    return Asked(situation.get("certificates.directory", str) or "", ca_file, proxy or "")


def hear_terms(app: Wizard, asked: Asked, terms: str) -> None:
    """Show what an authority says of its terms, unless other answers ask for another question by now."""
    if asked == asked_now(app):
        app.terms[asked.directory] = terms
        show(app)


def page_with(key: str) -> int | None:
    """Return the number of the page that asks a question, None where none does."""
    pages = (number for number, page in enumerate(PAGES) if _asks(page, key))
    return next(pages, None)


def _asks(page: Page, key: str) -> bool:
    return any(key == each or key.startswith(f"{each}.") for each in (*page.keys, *page.more))
