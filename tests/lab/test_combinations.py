"""Features that were made one by one, used one after another on the real nginx: no site of somebody else's is hurt."""

from __future__ import annotations

import pytest

from tests.lab import services, sites, ways
from tests.lab.booted import BootedHost
from tests.lab.combining import (
    AVAILABLE,
    EDITED,
    GUEST,
    old_homeserver,
    refused,
    settled,
    take_over,
    unharmed,
)
from tests.lab.hosts import ThrowAwayHost
from tests.lab.snapshots import differences
from tests.lab.taking_back import STATE, STAYS, left, roll_back, taken_back, uninstall
from tests.lab.test_confirming import APPLY, NOT_DONE
from tests.lab.test_existing import prepare
from tests.lab.test_faults import ENGINE, killed_and_recovered, register
from tests.lab.test_reruns import files
from tests.lab.test_ufw import rules
from tests.lab.test_uninstall import apply

PLAIN, TLS = f"{AVAILABLE}/zz-palpo-installer-http.conf", f"{AVAILABLE}/zz-palpo-installer-tls.conf"
SRV = ("--set", "federation.delegation=srv")


@pytest.mark.slow
@pytest.mark.parametrize("what", ["existing", "take-over", "edits"])
def test_what_is_not_confirmed_is_taken_back(nginx: ThrowAwayHost, what: str) -> None:
    """Byte for byte, whatever it was that was not confirmed; and an uninstall afterwards has nothing of it to do."""
    host = nginx
    more: tuple[str, ...] = ()
    if what == "existing":
        prepare(host, None, "site")
    elif what == "take-over":
        take_over(host)
        more = ("--set", "proxy.take_over=true")
    else:
        prepare(host, None, "well-known")
        settled(host, "--answers", ways.ANSWERS)
        host.output(["sed", "-i", "$a # mine", TLS, GUEST])
        more = ("--set", "well_known.identity_server=https://id.example.com")
    before, neighbours = host.snapshot(), ways.neighbour_answers(host)
    theirs = sites.pages(host) if what != "take-over" else old_homeserver(host)
    ended = host.tool(*APPLY, "10", *more)
    assert ended.returncode == 1, ended.stdout + ended.stderr
    assert "was not confirmed within 10 seconds" in ended.stdout
    assert NOT_DONE in ended.stdout
    assert ways.untouched(before, host) == {}
    assert ways.neighbour_answers(host) == neighbours
    assert (sites.pages(host) if what != "take-over" else old_homeserver(host)) == theirs
    if what == "edits":
        assert "was edited by hand" in refused(host, "uninstall", "--yes")
        uninstall(host, "--discard-edits")
        assert host.read(sites.FILE) == sites.SITE
    else:
        taken_back(host, "uninstall", before)


@pytest.mark.slow
def test_edits_through_reruns_and_back(nginx: ThrowAwayHost) -> None:
    """A merged edit stops a rollback of all and an uninstall; one that was given up comes back with a rollback."""
    host = nginx
    prepare(host, None, "well-known")
    before = host.snapshot()
    settled(host, "--answers", ways.ANSWERS)
    host.output(["sed", "-i", "0,/server_name/s|.*server_name.*|&\\n    # mine|", TLS])
    mine = host.snapshot()
    settled(host, "--set", "homeserver.max_upload_size=20MiB")
    assert "# mine" in host.read(TLS)
    for command in ("uninstall", "rollback 0001"):
        assert TLS in refused(host, *command.split(), "--yes")
    with unharmed(host):
        roll_back(host)
    assert ways.untouched(mine, host) == {}
    settled(host, "--set", "homeserver.max_upload_size=20MiB", "--overwrite-edits")
    assert "# mine" not in host.read(TLS)
    with unharmed(host):
        roll_back(host)
    assert ways.untouched(mine, host) == {}
    settled(host, "--set", "homeserver.max_upload_size=20MiB")
    with unharmed(host):
        said = uninstall(host, "--discard-edits")
    assert f"{STATE}/edited/etc-nginx-sites-available-zz-palpo-installer-tls.conf" in said
    assert left(before, host) == STAYS | {f"{STATE}/edited"}


@pytest.mark.slow
def test_another_server_name_and_back(nginx: ThrowAwayHost) -> None:
    """After a rollback of the change, and after an uninstall, palpo.toml is as before; the keys of both names stay."""
    host = nginx
    ways.prepare(host, None, "well-known")
    before = host.snapshot()
    apply(host, "--answers", ways.ANSWERS)
    first = host.read("/etc/palpo/palpo.toml")
    renamed = ("--set", "names.server_name=example.org", "--set", "names.client_host=matrix.example.org")
    apply(host, *renamed, "--change-server-name")
    roll_back(host)
    assert host.read("/etc/palpo/palpo.toml") == first
    apply(host, *renamed, "--change-server-name")
    taken_back(host, "uninstall", before)
    assert host.output(["ls", "/etc/palpo-installer/keys"]).split() == ["example.com", "example.org"]


@pytest.mark.slow
@pytest.mark.parametrize("which", ["0001", "0002"])
def test_a_run_of_another_version(nginx: ThrowAwayHost, which: str) -> None:
    """Its plan cannot be read: what is not known is said, nothing is lost, and nobody's site is hurt."""
    host = nginx
    prepare(host, None, "well-known")
    settled(host, "--answers", ways.ANSWERS)
    settled(host, "--set", "homeserver.max_upload_size=20MiB")
    plan = f"{STATE}/runs/{which}/plan.json"
    text = host.read(plan)
    host.write(plan, text.replace('"EditLines"', '"EditSites"').replace('"WriteFile"', '"PutFile"'), 0o600)
    for command in ("uninstall", "rollback 0001"):
        assert "is no plan of this version" in refused(host, *command.split(), "--yes")
    planned = host.tool("plan", "--exit-code")
    assert planned.returncode == 0, planned.stdout + planned.stderr
    settled(host, "--set", "homeserver.max_upload_size=30MiB")
    host.output(["sed", "-i", "$a # mine", TLS, GUEST])
    with unharmed(host):
        again = host.tool("apply", "--yes", "--set", "homeserver.max_upload_size=40MiB")
    assert again.returncode == 0, again.stdout + again.stderr
    assert "# mine" in host.read(TLS)
    moved = host.tool("apply", "--yes", "--set", "names.base_domain=elsewhere")
    assert moved.returncode == 0, moved.stdout + moved.stderr
    assert host.read(GUEST).endswith("# mine\n")
    host.write(plan, text, 0o600)
    with unharmed(host):
        uninstall(host, "--discard-edits")
    assert host.read(sites.FILE) == sites.SITE


@pytest.mark.slow
def test_a_saved_plan_with_an_edit_and_a_choice(nginx: ThrowAwayHost) -> None:
    """Applied as it was shown; refused where the site, or an edit, changed since."""
    host = nginx
    prepare(host, None, "well-known")
    settled(host, "--answers", ways.ANSWERS)
    host.output(["sed", "-i", "$a # mine", TLS, GUEST])
    before = host.snapshot()
    asked = ("plan", "--set", "well_known.identity_server=https://id.example.com", "--overwrite-edits")
    saved = host.tool(*asked, "--output", "/root/plan.json")
    assert saved.returncode == 0, saved.stdout + saved.stderr
    assert host.snapshot() == before
    host.output(["cp", "-a", sites.FILE, "/run/site"])
    sites.edit(host, *EDITED)
    assert sites.FILE.replace("available", "enabled") in refused(host, "apply", "--plan", "/root/plan.json", "--yes")
    host.output(["cp", "-a", "/run/site", sites.FILE])
    host.output(["sed", "-i", "$a # more", GUEST])
    assert GUEST in refused(host, "apply", "--plan", "/root/plan.json", "--yes")
    host.output(["sed", "-i", "$d", GUEST])
    with unharmed(host):
        applied = host.tool("apply", "--plan", "/root/plan.json", "--yes")
    assert applied.returncode == 0, applied.stdout + applied.stderr
    assert "# mine" not in host.read(TLS) + host.read(GUEST)
    assert host.tool("plan", "--exit-code").returncode == 0
    with unharmed(host):
        roll_back(host)
    assert ways.untouched(before, host) == {}


@pytest.mark.slow
def test_ufw_from_well_known_to_srv_and_back(nginx: ThrowAwayHost) -> None:
    """Beside an existing site: each run opens what it needs, and closes what it needs no more; so does the way back."""
    host = nginx
    services.start_ufw(host, 22, 80, 443)
    prepare(host, None, "well-known")
    host.write(ways.ANSWERS, host.read(ways.ANSWERS) + '[host]\nfirewall = "open"\n', 0o600)
    before, filtered = host.snapshot(), rules(host)
    settled(host, "--answers", ways.ANSWERS)
    settled(host, *SRV)
    assert "8448" in rules(host)
    opened = rules(host)
    settled(host, "--set", "federation.delegation=well-known")
    assert "8448" not in rules(host)
    with unharmed(host):
        roll_back(host)
    assert rules(host) == opened
    with unharmed(host):
        taken_back(host, "uninstall", before)
    assert rules(host) == filtered


@pytest.mark.slow
def test_killed_with_a_site_a_firewall_and_an_edit_in_one_plan(nginx: ThrowAwayHost) -> None:
    """SIGKILL of the apply, and then of the uninstall: as before each, and the site's pages unchanged."""
    host = nginx
    services.start_ufw(host, 22, 80, 443)
    prepare(host, None, "well-known")
    first, filtered = host.snapshot(), rules(host)
    settled(host, "--answers", ways.ANSWERS)
    host.output(["sed", "-i", "$a # mine", TLS, GUEST])
    answers = host.read("/etc/palpo-installer/answers.toml").replace('delegation = "well-known"', 'delegation = "srv"')
    host.write(ways.ANSWERS, answers + 'firewall = "open"\n', 0o600)
    before, site, every = (host.snapshot(), rules(host)), sites.pages(host), 4
    identity, records = register(host)
    planned = host.read(f"{STATE}/runs/{identity}/plan.json")
    assert all(part in planned for part in ("AllowUfwPort", "unedited", GUEST))
    for place in range(2, records, every):
        identity, _ = register(host)
        killed_and_recovered(host, identity, place)
        assert (ways.untouched(before[0], host), rules(host)) == ({}, before[1]), place
    assert sites.pages(host) == site
    settled(host, "--answers", ways.ANSWERS)
    host.output(["sed", "-i", "/# mine/d", TLS, GUEST])
    settled(host, "--overwrite-edits", "--set", "homeserver.max_upload_size=20MiB")
    installed = host.snapshot(without=(STATE,)), rules(host)
    removing = [host.python, ENGINE, "register-removal"]
    records = int(host.output([*removing[:-1], "count", host.output(removing).strip()]))
    for place in range(2, records, every):
        identity = host.output(removing).strip()
        killed_and_recovered(host, identity, place)
        assert differences(installed[0], host.snapshot(without=(STATE,))) == {}, place
        assert rules(host) == installed[1]
    assert sites.pages(host) == site
    with unharmed(host):
        taken_back(host, "uninstall", first)
    assert rules(host) == filtered


@pytest.mark.slow
@pytest.mark.booted
@pytest.mark.parametrize("back", ["uninstall", "rollback"])
def test_the_timer_is_gone_with_brought_certificates_and_stays_gone(booted: BootedHost, back: str) -> None:
    """From self-signed to files and back to nothing: no unit of ours is left, and systemd is content."""
    host = booted
    ways.prepare(host, None, "well-known")
    for name in ("example.com", "matrix.example.com"):
        services.make_certificate(host, f"/root/{name}.pem", f"/root/{name}.key", f"DNS:{name}")
    before = host.snapshot()
    apply(host, "--answers", ways.ANSWERS)
    brought = {"certificates.method": "files", **files("example.com"), **files("matrix.example.com")}
    apply(host, *(word for key, value in brought.items() for word in ("--set", f"{key}={value}")))
    assert host.run(["systemctl", "cat", "palpo-installer-renew.timer"]).returncode != 0
    taken_back(host, back, before)
    assert host.run(["systemctl", "cat", "palpo-installer-renew.timer"]).returncode != 0
    assert host.output(["systemctl", "is-system-running"]).strip() == "running"
