"""Where things are: on the host itself, and in a copy of one."""

from __future__ import annotations

from pathlib import Path

import pytest

from palpo_installer.layout import Layout

PLACES = {
    "etc": "/etc/palpo-installer",
    "answers": "/etc/palpo-installer/answers.toml",
    "keys": "/etc/palpo-installer/keys",
    "acme": "/etc/palpo-installer/acme",
    "authority": "/etc/palpo-installer/self-signed",
    "state": "/var/lib/palpo-installer",
    "runs": "/var/lib/palpo-installer/runs",
    "ledger": "/var/lib/palpo-installer/ledger.jsonl",
    "webroot": "/var/lib/palpo-installer/webroot",
    "lock": "/var/lib/palpo-installer/lock",
    "log": "/var/log/palpo-installer",
    "systemd": "/etc/systemd/system",
    "cron": "/etc/cron.d",
}
"""Paths that others rely on: timers, backups, the documentation."""


@pytest.mark.parametrize(("name", "path"), PLACES.items())
def test_places_on_a_host_and_in_a_copy(name: str, path: str) -> None:
    """Each is where it is promised to be, and below the directory for a copy of a host."""
    assert getattr(Layout(), name) == Path(path)
    assert getattr(Layout(Path("/srv/copy")), name) == Path("/srv/copy" + path)


def test_every_place_is_pinned() -> None:
    """A place that is added belongs into the list above."""
    assert {name for name in vars(Layout) if isinstance(vars(Layout)[name], property)} == set(PLACES)


def test_no_absolute_path_leads_out_of_a_copy() -> None:
    """A leading slash, or several, does not replace the root."""
    copy = Layout(Path("/srv/copy"))
    for path in ("/etc/nginx", "//etc/nginx", "etc/nginx", Path("/etc/nginx")):
        assert copy.at(path) == Path("/srv/copy/etc/nginx")


def test_a_host_has_the_usual_ports_on_every_address() -> None:
    """80 for the authority's question, 443 for everyone else, both families."""
    assert (Layout().http_port, Layout().https_port) == (80, 443)
    assert Layout().addresses == ("0.0.0.0", "::")
