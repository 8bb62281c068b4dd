"""What goes into sites of somebody else's, used one after another on the real nginx: none of them is hurt."""

from __future__ import annotations

import pytest

from tests.lab import services, sites, ways
from tests.lab.combining import (
    AVAILABLE,
    EDITED,
    GUEST,
    GUESTS,
    old_homeserver,
    refused,
    settled,
    take_over,
    unharmed,
)
from tests.lab.hosts import ThrowAwayHost
from tests.lab.services import Authority
from tests.lab.taking_back import STATE, STAYS, left, roll_back, taken_back, uninstall
from tests.lab.test_existing import GENERATED, prepare
from tests.lab.test_uninstall import apply


@pytest.mark.parametrize("way", ["well-known", "site", "ordered"])
@pytest.mark.parametrize("edited", [False, True])
@pytest.mark.slow
def test_an_uninstall_takes_our_lines_out_of_a_site(
    nginx: ThrowAwayHost, acme: Authority, way: str, edited: bool
) -> None:
    """The file is byte for byte as its owner left it, edited since or not, and our directory is gone."""
    host = nginx
    prepare(host, acme, way)
    before = host.snapshot()
    settled(host, "--answers", ways.ANSWERS)
    if edited:
        sites.edit(host, *EDITED)
        services.reload_nginx(host)
    with unharmed(host):
        uninstall(host)
    assert host.read(sites.FILE) == (sites.SITE.replace(*EDITED) if edited else sites.SITE)
    kept = {"/etc/palpo-installer/acme", "/etc/palpo-installer/keys", f"{STATE}/ledger.jsonl"}
    assert left(before, host) - {sites.FILE} == kept
    assert not host.exists(GUESTS)


@pytest.mark.parametrize(
    ("name", "back"),
    [
        ("a-default", "uninstall"),
        pytest.param("synapse", "uninstall", marks=pytest.mark.slow),
        pytest.param("a-default", "rollback", marks=pytest.mark.slow),
        pytest.param("synapse", "rollback", marks=pytest.mark.slow),
    ],
)
def test_an_old_site_that_was_taken_over_answers_again(nginx: ThrowAwayHost, name: str, back: str) -> None:
    """Byte for byte, on every port of its own and to requests without a name, also after a rerun in between."""
    host = nginx
    take_over(host, name)
    before, answers, neighbours = host.snapshot(), old_homeserver(host), ways.neighbour_answers(host)
    assert answers == ("the old homeserver\n",) * 4
    apply(host, "--answers", ways.ANSWERS, "--set", "proxy.take_over=true")
    apply(host, "--set", "homeserver.max_upload_size=20MiB")
    assert host.tool("plan", "--exit-code").returncode == 0
    taken_back(host, back, before)
    assert old_homeserver(host) == answers
    assert ways.neighbour_answers(host) == neighbours


@pytest.mark.slow
def test_existing_and_elsewhere_and_existing_again(nginx: ThrowAwayHost) -> None:
    """Each is a plan of its own with nothing left to do; an uninstall, or a rollback of all, ends as before all."""
    host = nginx
    prepare(host, None, "well-known")
    before = host.snapshot()
    settled(host, "--answers", ways.ANSWERS)
    settled(host, "--set", "names.base_domain=elsewhere")
    assert host.read(sites.FILE) == sites.SITE
    settled(host, "--set", "names.base_domain=existing")
    assert GUESTS in host.read(sites.FILE)
    sites.edit(host, *EDITED)
    services.reload_nginx(host)
    settled(host, "--set", "names.base_domain=elsewhere")
    settled(host, "--set", "names.base_domain=existing")
    with unharmed(host):
        roll_back(host, "0002")
    with unharmed(host):
        uninstall(host)
    assert host.read(sites.FILE) == sites.SITE.replace(*EDITED)
    assert left(before, host) - {sites.FILE} == STAYS


@pytest.mark.slow
def test_other_answers_rewrite_our_include_file_alone(nginx: ThrowAwayHost) -> None:
    """What is served there changes in our file; an edit in it is merged, stops an uninstall, and is kept as a copy."""
    host = nginx
    prepare(host, None, "well-known")
    before = host.snapshot()
    settled(host, "--answers", ways.ANSWERS)
    text = host.read(sites.FILE)
    settled(host, "--set", "well_known.identity_server=https://id.example.com")
    assert host.read(sites.FILE) == text
    assert "id.example.com" in host.read(GUEST)
    host.output(["sed", "-i", "$a # mine", GUEST])
    settled(host, "--set", "well_known.identity_server=https://id2.example.com")
    assert "id2.example.com" in host.read(GUEST)
    assert host.read(GUEST).endswith("# mine\n")
    assert "id2.example.com" in ways.fetch(host, "https://example.com/.well-known/matrix/client", "--insecure")
    assert f"{GUEST} was edited by hand" in refused(host, "uninstall", "--yes")
    assert GUEST in refused(host, "rollback", "0001", "--yes")
    with unharmed(host):
        roll_back(host)
    assert "id.example.com" in host.read(GUEST)
    assert host.read(GUEST).endswith("# mine\n")
    assert f"{GUEST} was edited by hand" in refused(host, "uninstall", "--yes")
    with unharmed(host):
        said = uninstall(host, "--discard-edits")
    assert f"{STATE}/edited/" in said
    assert not host.exists(GUESTS)
    assert left(before, host) == STAYS | {f"{STATE}/edited"}


def test_a_line_that_moved_with_the_sites_file(nginx: ThrowAwayHost) -> None:
    """The owner renames the file: a plan finds the line there, and an uninstall takes it out there."""
    host = nginx
    prepare(host, None, "well-known")
    settled(host, "--answers", ways.ANSWERS)
    renamed = f"{AVAILABLE}/www"
    host.output(["sh", "-c", f"mv {sites.FILE} {renamed} && ln -sf ../sites-available/www {sites.LINK}"])
    services.reload_nginx(host)
    assert host.tool("plan", "--exit-code").returncode == 0
    with unharmed(host):
        uninstall(host)
    assert host.read(renamed) == sites.SITE


@pytest.mark.slow
@pytest.mark.parametrize("back", ["uninstall", "rollback"])
def test_a_line_added_by_hand_where_we_may_not(nginx: ThrowAwayHost, back: str) -> None:
    """What it included is not answered any more on the way back; the line stays, which an uninstall tells."""
    host = nginx
    prepare(host, None, "well-known", GENERATED)
    apply(host, "--answers", ways.ANSWERS)
    said = host.tool("plan").stdout
    line = f"include {GUEST[:-1]}[f];"
    assert line in said
    sites.edit(host, f"    root {sites.ROOT};", f"    root {sites.ROOT};\n    {line}")
    services.reload_nginx(host)
    asked = "https://example.com/.well-known/matrix/server"
    assert "m.server" in ways.fetch(host, asked, "--insecure")
    assert host.tool("plan", "--exit-code").returncode == 0
    if back == "rollback":
        roll_back(host)
    else:
        assert f"{line} (site-factory writes it" in uninstall(host)
    assert "m.server" not in ways.fetch(host, asked, "--insecure")
    assert line in host.read(sites.FILE)


@pytest.mark.slow
def test_an_edited_include_file_that_is_needed_no_more(nginx: ThrowAwayHost) -> None:
    """It stays, said once; where the edit is given up it goes, and is not said to stay."""
    host = nginx
    prepare(host, None, "well-known")
    before = host.snapshot()
    settled(host, "--answers", ways.ANSWERS)
    host.output(["sed", "-i", "$a # mine", GUEST])
    elsewhere = ("--set", "names.base_domain=elsewhere")
    assert host.tool("plan", *elsewhere).stdout.count(f"  {GUEST}: ") == 2
    given_up = host.tool("plan", *elsewhere, "--overwrite-edits").stdout
    assert f"  {GUEST}: was edited by hand; your edit stays" not in given_up
    settled(host, *elsewhere)
    assert host.read(GUEST).endswith("# mine\n")
    assert host.read(sites.FILE) == sites.SITE
    settled(host, "--set", "names.base_domain=existing")
    assert host.read(GUEST).endswith("# mine\n")
    settled(host, *elsewhere, "--overwrite-edits")
    assert not host.exists(GUEST)
    with unharmed(host):
        roll_back(host)
    assert host.read(GUEST).endswith("# mine\n")
    uninstall(host, "--discard-edits")
    assert left(before, host) == STAYS | {f"{STATE}/edited"}


@pytest.mark.slow
@pytest.mark.parametrize("back", ["uninstall", "rollback"])
def test_from_a_site_that_hosts_us_to_taking_it_over(nginx: ThrowAwayHost, back: str) -> None:
    """Its line and its link go in one reload; then it is there again, byte for byte."""
    host = nginx
    prepare(host, None, "well-known", sites.SITE.replace(" www.example.com", ""))
    before, pages, neighbours = host.snapshot(), sites.pages(host), ways.neighbour_answers(host)
    settled(host, "--answers", ways.ANSWERS)
    ours = ("--set", "names.base_domain=ours", "--set", "proxy.take_over=true")
    applied = host.tool("apply", *ours, "--yes")
    assert applied.returncode == 0, applied.stdout + applied.stderr
    assert host.tool("plan", "--exit-code").returncode == 0
    taken_back(host, back, before)
    assert (sites.pages(host), ways.neighbour_answers(host)) == (pages, neighbours)
