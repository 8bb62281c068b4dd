"""Makes the picture at the top of the README: ``python -m tests.pictures.review``, as root.

The real wizard goes to its review on a throw-away host with the real nginx, and its screen is kept as it is.
"""

from __future__ import annotations

import asyncio
import sys
from functools import partial
from pathlib import Path

from palpo_installer.host import Host
from palpo_installer.screens.app import Wizard
from palpo_installer.screens.form import Form
from palpo_installer.screens.review import Review
from tests.lab import names, services
from tests.lab.hosts import CHECKOUT, ThrowAwayHost
from tests.screens.piloted import begin, until

PICTURE = Path(__file__).with_name("review.svg")
SIZE = (92, 30)
ANSWERS: dict[str, object] = {
    "names.server_name": "example.com",
    "names.client_host": "matrix.example.com",
    "names.base_domain": "ours",
    "certificates.method": "self-signed",
    "homeserver.database_url": "postgres://palpo:secret@127.0.0.1/palpo",
}


async def photograph() -> str:
    """Go to the review of this host and return its screen as SVG."""
    wizard = Wizard(Host(), ANSWERS)
    async with wizard.run_test(size=SIZE) as pilot:
        await begin(wizard, pilot)
        while isinstance(wizard.screen, Form):
            page = wizard.screen.page.name
            await pilot.press("f10")
            await until(pilot, partial(has_left, wizard, page), "the next page")
        await until(pilot, lambda: isinstance(wizard.screen, Review), "the review")
        await pilot.pause()
        return wizard.export_screenshot(title="palpo-installer")


def has_left(wizard: Wizard, page: str) -> bool:
    """Return whether another page, or another screen, is there."""
    return not isinstance(wizard.screen, Form) or wizard.screen.page.name != page


def main() -> None:
    """Make the picture anew."""
    host = ThrowAwayHost()
    try:
        names.serve(host)
        services.start_nginx(host)
        script = f"import sys; sys.path.insert(0, {str(CHECKOUT)!r}); from tests.pictures.review import show; show()"
        PICTURE.write_text(host.output([host.python, "-c", script]))
    finally:
        host.stop()


def show() -> None:
    """Print the picture of the host that this runs on."""
    sys.stdout.write(asyncio.run(photograph()))


if __name__ == "__main__":
    main()
