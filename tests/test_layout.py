"""Where things are: on the host itself, and in a copy of one."""

from __future__ import annotations

from pathlib import Path

import pytest

from palpo_installer.errors import HostError
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
    "packages": "/var/lib/palpo-installer/packages.json",
    "edits": "/var/lib/palpo-installer/edited",
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


def test_a_private_copy_says_its_ports_itself(tmp_path: Path) -> None:
    """What is saved is what every command with --root finds; a directory without it is an ordinary host's."""
    copy = Layout(tmp_path, 10080, 10443, ("127.0.0.1", "::1"), private=True)
    assert Layout.below(tmp_path) == Layout(tmp_path)
    copy.save()
    assert Layout.below(tmp_path) == copy
    assert (copy.arguments(), Layout().arguments()) == (("--root", str(tmp_path)), ())
    assert Layout.below(Path("/")) == Layout()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"http_port": "x", "https_port": 1, "addresses": []}', "\udcff"])
def test_a_broken_layout_is_named(tmp_path: Path, text: str) -> None:
    """With other ports the wrong host would be changed: nothing is guessed."""
    (tmp_path / "layout.json").write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(HostError, match="no layout of a host's copy") as raised:
        Layout.below(tmp_path)
    assert raised.value.where == str(tmp_path / "layout.json")
