"""Features that were made one by one, used one after another on the real nginx: no site of somebody else's is hurt."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.lab import services, sites, ways
from tests.lab.booted import BootedHost
from tests.lab.hosts import LabHost, ThrowAwayHost
from tests.lab.running import require_programs
from tests.lab.services import Authority, make_certificate
from tests.lab.snapshots import differences
from tests.lab.test_confirming import APPLY, NOT_DONE
from tests.lab.test_existing import GENERATED, prepare
from tests.lab.test_faults import ENGINE, engine, register
from tests.lab.test_reruns import files
from tests.lab.test_ufw import rules
from tests.lab.test_uninstall import apply, left, uninstall

STATE = "/var/lib/palpo-installer"
AVAILABLE = "/etc/nginx/sites-available"
PLAIN, TLS = f"{AVAILABLE}/zz-palpo-installer-http.conf", f"{AVAILABLE}/zz-palpo-installer-tls.conf"
GUESTS = "/etc/nginx/palpo-installer"
GUEST = f"{GUESTS}/example.com-443.conf"
STAYS = {"/etc/palpo-installer/keys", "/etc/palpo-installer/self-signed"}
EDITED = ("max-age=31536000", "max-age=600")
SRV = ("--set", "federation.delegation=srv")
SYNAPSE = """\
server {
    server_name matrix.example.com;
    listen 443 ssl;
    listen [::]:443 ssl;
    listen 8448 ssl;
    listen [::]:8448 ssl;
    ssl_certificate /etc/ssl/synapse.pem;
    ssl_certificate_key /etc/ssl/private/synapse.key;
    location / { default_type text/plain; return 200 "the old homeserver\\n"; }
}
"""


@contextmanager
def unharmed(host: LabHost) -> Iterator[None]:
    """Check that the site and the neighbour answer afterwards as before."""
    before = sites.pages(host), ways.neighbour_answers(host)
    yield
    assert (sites.pages(host), ways.neighbour_answers(host)) == before


def settled(host: LabHost, *options: str) -> None:
    """Apply, with everybody unharmed, and check that nothing is left to do."""
    with unharmed(host):
        apply(host, *options)
    planned = host.tool("plan", "--exit-code")
    assert planned.returncode == 0, planned.stdout + planned.stderr


def refused(host: LabHost, *command: str) -> str:
    """Return what a command says that must end with 1 and change nothing outside the history."""
    before = host.snapshot(without=(STATE,))
    ended = host.tool(*command)
    assert ended.returncode == 1, ended.stdout + ended.stderr
    assert host.snapshot(without=(STATE,)) == before
    return ended.stdout + ended.stderr


def roll_back(host: LabHost, *options: str) -> None:
    """Take runs back."""
    ended = host.tool("rollback", "--yes", *options)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def take_over(host: LabHost, name: str = "synapse") -> None:
    """Put the old homeserver's site on a host, with answers that take it over; nginx reads sites by their names."""
    make_certificate(host, "/etc/ssl/synapse.pem", "/etc/ssl/private/synapse.key", "DNS:matrix.example.com")
    host.write(f"{AVAILABLE}/{name}", SYNAPSE)
    host.output(["ln", "-s", f"../sites-available/{name}", f"/etc/nginx/sites-enabled/{name}"])
    services.reload_nginx(host)
    ways.prepare(host, None, "srv")


def old_homeserver(host: LabHost) -> tuple[str, ...]:
    """Return what answers for the client host's name on both families and ports."""
    asked = [(f"https://matrix.example.com:{port}/", way) for port in (443, 8448) for way in ("-4", "-6")]
    return tuple(ways.fetch(host, url, "--insecure", way).partition("\r\n\r\n")[2] for url, way in asked)


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
    if back == "uninstall":
        uninstall(host)
        assert left(before, host) == STAYS
    else:
        roll_back(host, "0001")
        assert ways.untouched(before, host) == {}
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
        uninstall(host)
        assert left(before, host) == STAYS


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
    uninstall(host)
    assert left(before, host) == STAYS
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
    if back == "uninstall":
        uninstall(host)
        assert left(before, host) == STAYS
    else:
        roll_back(host, "0001")
        assert ways.untouched(before, host) == {}
    assert (sites.pages(host), ways.neighbour_answers(host)) == (pages, neighbours)


@pytest.mark.slow
def test_ufw_from_well_known_to_srv_and_back(nginx: ThrowAwayHost) -> None:
    """Beside an existing site: each run opens what it needs, and closes what it needs no more; so does the way back."""
    host = nginx
    guard(host)
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
        uninstall(host)
    assert rules(host) == filtered
    assert left(before, host) == STAYS


@pytest.mark.slow
def test_killed_with_a_site_a_firewall_and_an_edit_in_one_plan(nginx: ThrowAwayHost) -> None:
    """SIGKILL of the apply, and then of the uninstall: as before each, and the site's pages unchanged."""
    host = nginx
    guard(host)
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
        assert engine(host, "kill", identity, str(place)) not in {0, 1, 5}, place
        recovered = host.tool("recover")
        assert recovered.returncode == 0, (place, recovered.stdout)
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
        assert engine(host, "kill", identity, str(place)) not in {0, 1, 5}, place
        recovered = host.tool("recover")
        assert recovered.returncode == 0, (place, recovered.stdout)
        assert differences(installed[0], host.snapshot(without=(STATE,))) == {}, place
        assert rules(host) == installed[1]
    assert sites.pages(host) == site
    with unharmed(host):
        uninstall(host)
    assert left(first, host) == STAYS
    assert rules(host) == filtered


def guard(host: ThrowAwayHost) -> None:
    """Let ufw take nothing in but 22, 80 and 443."""
    require_programs("ufw")
    host.output(["ufw", "allow", "22,80,443/tcp"])
    host.output(["ufw", "--force", "enable"])


@pytest.mark.slow
@pytest.mark.booted
@pytest.mark.parametrize("back", ["uninstall", "rollback"])
def test_the_timer_is_gone_with_brought_certificates_and_stays_gone(booted: BootedHost, back: str) -> None:
    """From self-signed to files and back to nothing: no unit of ours is left, and systemd is content."""
    host = booted
    ways.prepare(host, None, "well-known")
    for name in ("example.com", "matrix.example.com"):
        make_certificate(host, f"/root/{name}.pem", f"/root/{name}.key", f"DNS:{name}")
    before = host.snapshot()
    apply(host, "--answers", ways.ANSWERS)
    brought = {"certificates.method": "files", **files("example.com"), **files("matrix.example.com")}
    apply(host, *(word for key, value in brought.items() for word in ("--set", f"{key}={value}")))
    assert host.run(["systemctl", "cat", "palpo-installer-renew.timer"]).returncode != 0
    if back == "uninstall":
        uninstall(host)
        assert left(before, host) == STAYS
    else:
        roll_back(host, "0001")
        assert ways.untouched(before, host) == {}
    assert host.run(["systemctl", "cat", "palpo-installer-renew.timer"]).returncode != 0
    assert host.output(["systemctl", "is-system-running"]).strip() == "running"
