"""Changes that edit one file: made as one, with a proof for both."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from palpo_installer.changes import Change
from palpo_installer.operations.files import MakeDirectory
from palpo_installer.operations.lines import AddedLine, EditLines
from palpo_installer.planning.joining import joined
from palpo_installer.proxies.activation import activate
from palpo_installer.proxies.base import Expectation
from palpo_installer.proxies.nginx.process import service_of
from tests.proxies.nginx.sites import HOST, block
from tests.proxies.nginx.sites import nginx as nginx_with

FILE = Path("/etc/caddy/Caddyfile")
OURS = EditLines(FILE, FILE, (AddedLine("import ours", 9), AddedLine("lead", 2)), (), "digest")
SITE = EditLines(FILE, FILE, (AddedLine("import guest", 2),), ("import old",), "digest")
OTHER = EditLines(FILE.with_name("other"), FILE.with_name("other"), (AddedLine("import guest", 2),), (), "digest")
ROOM = MakeDirectory(FILE.with_name("palpo-installer"), 0o755)
PROXY = nginx_with(block("80"))
SHOWN = Expectation("127.0.0.1", 80, False, "matrix.example.com", "marker", None, False)
PLAIN = activate(PROXY, service_of(PROXY), HOST, [SHOWN], [], enable=True)
GUESTS = replace(PLAIN, expectations=(replace(SHOWN, name="example.com"),), enable=False)


def test_a_file_is_edited_once_behind_all_that_its_lines_lead_to() -> None:
    """In the order of the file, what answers first; one activation proves both, and asks no neighbour twice."""
    first, second = joined((Change("ours", (OURS,), PLAIN),), (Change("guests", (ROOM, SITE, OTHER), GUESTS),))
    both = EditLines(FILE, FILE, (SITE.add[0], OURS.add[1], OURS.add[0]), SITE.drop, "digest")
    proof = replace(PLAIN, expectations=(*PLAIN.expectations, *GUESTS.expectations))
    assert first == (Change("ours, and guests", (ROOM, both, OTHER), proof),)
    assert second == ()


def test_changes_of_different_files_stay_by_themselves() -> None:
    """So do those of which one is not needed."""
    first, second = (Change("ours", (OURS,), PLAIN),), (Change("guests", (ROOM, OTHER), GUESTS),)
    assert joined(first, second) == (first, second)
    assert joined((), second) == ((), second)
    assert joined(first, ()) == (first, ())
