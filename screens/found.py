"""The first screen: what is on this host, and what can be done now."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from textual import on
from textual.message import Message
from textual.widget import Widget

from palpo_installer.screens.choices import Menu
from palpo_installer.screens.frame import Body, Step
from palpo_installer.screens.prose import Prose

if TYPE_CHECKING:
    from palpo_installer.screens.overview import Overview

LOOKING = """\
Looking at this host

  Who answers on its ports, what its proxy serves, whether Palpo is there.
  This only reads.
"""


class Found(Step[str]):
    """Shows what was found as it comes; closes with the value of the entry that was chosen."""

    STEP = "Found"
    HELP = (
        "This is what answers on this host now: by port, who holds it, and the sites of the proxy with file and "
        "line.\n"
        "PageUp and PageDown scroll. The menu below says what can be done; the arrows choose, Enter does it.\n"
    )

    def __init__(self, overview: Overview | None) -> None:
        super().__init__()
        self._overview = overview

    def content(self) -> Iterable[Widget]:
        """Yield what is there so far."""
        yield Prose(self._overview.text if self._overview else LOOKING, id="found")

    class Shown(Message):
        """The first frame is there, and nothing in it yet."""

    def on_mount(self) -> None:
        """Offer what can be done, once it is known."""
        if self._overview is not None:
            self._offer(self._overview)
        else:
            self.call_after_refresh(self.post_message, self.Shown())

    def show(self, overview: Overview) -> None:
        """Show what has come."""
        former, self._overview = self._overview, overview
        self.query_one("#found", Prose).show(overview.text)
        if former is None or former.entries != overview.entries:
            self._offer(overview)

    def _offer(self, overview: Overview) -> None:
        for menu in self.query(Menu):
            menu.remove()
        menu = Menu(overview.entries, overview.entries[0].value)
        self.mount(menu, after=self.query_one(Body))
        self.set_focus(menu)

    @on(Menu.Accepted)
    def _chosen(self, event: Menu.Accepted) -> None:
        self.dismiss(event.value)
