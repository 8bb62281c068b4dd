"""Installing a proxy in the wizard, where there is none: the choice, a consent of its own, and apt's own lines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from textual import on, work
from textual.message import Message
from textual.widget import Widget

from palpo_installer.errors import InstallerError
from palpo_installer.facts import gather
from palpo_installer.host import Host
from palpo_installer.packages.catalogue import Offer, recommended
from palpo_installer.packages.installing import Preview, install, preview
from palpo_installer.proxies.standing import standings
from palpo_installer.questions.question import Choice
from palpo_installer.screens import conversing
from palpo_installer.screens.choices import Menu
from palpo_installer.screens.frame import Body, Step, Sure
from palpo_installer.screens.prose import Prose
from palpo_installer.screens.reading import Reading
from palpo_installer.screens.waiting import Waiting
from palpo_installer.session import survey

if TYPE_CHECKING:
    from palpo_installer.screens.app import Wizard

LOOKING = "Asking the package manager what each would bring; nothing is changed"
NONE = """\
No reverse proxy is installed here

  Palpo answers behind one: it holds the certificates and the ports 80 and 443.
  One can be installed now, before any question; it is not started by that.
  A rollback leaves its packages there; an uninstall offers to purge them.
"""
HINT = "^c stops: a download at once; a package that was begun comes to its end first."


async def with_proxy(app: Wizard) -> bool:
    """Offer to install a proxy where there is none; return whether to go on to the questions."""
    if standings(conversing.facts_of(app)) or not app.host.is_root:
        return True
    previews = await app.ask(Waiting("Found", LOOKING, partial(_previews, app.host)))
    if previews is None:
        return False
    offered = () if isinstance(previews, InstallerError) else previews
    while True:
        chosen = await app.ask(Offers(offered))
        if chosen in {"back", "on"}:
            return chosen == "on"
        one = next(each for each in offered if each.offer.kind == chosen)
        if one.refused:
            await app.ask(Reading(f"{one.offer.title} is not installed by palpo-installer here\n  {one.refused}."))
        elif await app.ask(Sure("\n\n".join((*one.lines(), f"Install {one.offer.title} now?")))):
            return await _install(app, one.offer)


def _previews(host: Host) -> tuple[Preview, ...]:
    listeners = gather(host).listeners
    return tuple(preview(host, offer, listeners) for offer in recommended())


async def _install(app: Wizard, offer: Offer) -> bool:
    app.farewell = f"The installation of {offer.title} was begun. What came is recorded."
    failure = await app.ask(Installing(app.host, offer))
    if failure:
        app.farewell = failure
        await app.ask(Reading(f"{offer.title} is not installed\n  {failure}"))
        return False
    app.farewell = f"{offer.title} was installed. To purge it: palpo-installer uninstall --purge-packages"
    found = await app.ask(Waiting("Found", "Looking at this host again", partial(survey, app.host)))
    if found is None or isinstance(found, InstallerError):
        return False
    app.facts = found
    return True


class Offers(Step[str]):
    """Shows which proxies can be installed and why; closes with one, with ``on`` or with ``back``."""

    HELP = (
        "A reverse proxy takes the connections of the world and passes them to Palpo.\n"
        "What is installed comes from this host's own distribution. You are asked once more before.\n"
    )

    def __init__(self, offered: Iterable[Preview]) -> None:
        super().__init__()
        self._offered = tuple(offered)

    def content(self) -> Iterable[Widget]:
        """Yield what there is to know."""
        yield Prose(NONE)

    def on_mount(self) -> None:
        """Offer what can be done."""
        menu = Menu(tuple(self._entries()), self._offered[0].offer.kind if self._offered else "on")
        self.mount(menu, after=self.query_one(Body))
        self.set_focus(menu)

    def _entries(self) -> Iterator[Choice]:
        for each in self._offered:
            verb = "How to install" if each.refused else "Install"
            yield Choice(each.offer.kind, f"{verb} {each.offer.title}", f"{_sentence(each.offer.reason)}")
        yield Choice("on", "Go on without one", "The questions can be answered; a plan needs a proxy.")
        yield Choice("back", "Back", "Nothing is changed.")

    @on(Menu.Accepted)
    def _chosen(self, event: Menu.Accepted) -> None:
        self.dismiss(event.value)


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


class Installing(Step[str]):
    """Shows what the package manager says; closes with why it failed, empty when it did not."""

    HELP = "The package manager of this host is at work. Ctrl+C asks it to stop.\n"

    class Said(Message):
        """The package manager said something."""

        def __init__(self, line: str) -> None:
            super().__init__()
            self.line = line

    class Ended(Message):
        """It has ended."""

        def __init__(self, failure: str) -> None:
            super().__init__()
            self.failure = failure

    def __init__(self, host: Host, offer: Offer) -> None:
        super().__init__()
        self._host = host
        self._offer = offer
        self._lines: list[str] = []
        self._wanted = True

    def content(self) -> Iterable[Widget]:
        """Yield what it says."""
        yield Prose(f"Installing {self._offer.title}", id="heading")
        yield Prose(id="log")

    def below(self) -> Iterable[Widget]:
        """Yield how to stop."""
        yield Prose(HINT, id="waiting", classes="banner")

    def on_mount(self) -> None:
        """Begin."""
        self._work()

    def stop(self) -> bool:
        """Ask it to stop; the screen stays until it has."""
        self._wanted = False
        self.query_one("#waiting", Prose).show("Asked to stop; waiting for its end.")
        return True

    @work(thread=True)
    def _work(self) -> None:
        failure = ""
        try:
            install(self._host, self._offer, self._say, self._is_wanted)
        except InstallerError as error:
            failure = str(error)
        self.post_message(self.Ended(failure))

    def _say(self, line: str) -> None:
        self.post_message(self.Said(line))

    def _is_wanted(self) -> bool:
        return self._wanted

    def on_installing_said(self, message: Said) -> None:
        """Show a line."""
        self._lines.append(f"  {message.line}")
        self.query_one("#log", Prose).show("\n".join(self._lines))
        self.call_after_refresh(self.query_one(Body).scroll_end, animate=False)

    def on_installing_ended(self, message: Ended) -> None:
        """Close."""
        self.dismiss(message.failure)
