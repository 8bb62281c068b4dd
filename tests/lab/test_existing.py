"""A base domain that has a website on this proxy already: one line in its file, and back; nginx and pebble are real."""

from __future__ import annotations

import json

import pytest

from tests.lab import services, sites, ways
from tests.lab.hosts import ThrowAwayHost
from tests.lab.services import Authority
from tests.lab.test_faults import engine, forget_certificates, register, steps

SECTIONS = {"well-known": "", "site": 'base_domain = "site"', "ordered": 'base_domain = "ordered"'}


def prepare(host: ThrowAwayHost, authority: Authority | None, way: str, text: str = sites.SITE) -> None:
    """Put a website and the answers on a host; ``way`` is the delegation, or for srv which certificate."""
    sites.make(host, text)
    delegation = "well-known" if way == "well-known" else "srv"
    ways.prepare(host, authority, delegation, "existing")
    if SECTIONS[way]:
        answers = host.read(ways.ANSWERS).replace("[certificates]\n", f"[certificates]\n{SECTIONS[way]}\n")
        host.write(ways.ANSWERS, answers, 0o600)


def trusted(host: ThrowAwayHost) -> str:
    """Return a file of the authorities that the names' certificates come from: pebble's, and the site's itself."""
    host.write("/run/trust.pem", host.read(ways.ROOT) + host.read(sites.CHAIN))
    return "/run/trust.pem"


@pytest.mark.parametrize(
    "way", ["ordered", pytest.param("well-known", marks=pytest.mark.slow), pytest.param("site", marks=pytest.mark.slow)]
)
def test_the_whole_way_and_back(nginx: ThrowAwayHost, acme: Authority, way: str) -> None:
    """One line is shown and added, discovery works, the site answers as ever; rollback is byte for byte as before."""
    host = nginx
    prepare(host, acme, way)
    before, pages = host.snapshot(), sites.pages(host)

    planned = host.tool("plan", "--answers", ways.ANSWERS)
    assert planned.returncode == 0, planned.stderr
    added = [line for line in planned.stdout.splitlines() if line.startswith("+    include ")]
    assert len(added) == (2 if way == "ordered" else 1), planned.stdout
    assert host.snapshot() == before

    applied = host.tool("apply", "--answers", ways.ANSWERS, "--yes")
    assert applied.returncode == 0, applied.stdout + applied.stderr
    assert sites.pages(host) == pages
    text = host.read(sites.FILE)
    assert [line for line in text.splitlines() if "palpo-installer" not in line] == sites.SITE.splitlines()

    ways.start_palpo(host)
    verified = host.tool("verify", "--trust", trusted(host), "--json")
    checks = json.loads(verified.stdout)["checks"]
    assert verified.returncode == 0, [check for check in checks if check["result"] == "fail"]
    assert ways.ledger_orders(host) == (2 if way == "ordered" else 1)

    applied_state = host.snapshot()
    again = host.tool("apply", "--yes")
    assert (again.returncode, again.stdout[:13]) == (0, "Nothing to do")
    assert host.snapshot() == applied_state

    rolled_back = host.tool("rollback", "--yes")
    assert rolled_back.returncode == 0, rolled_back.stdout
    assert ways.untouched(before, host) == {}
    assert sites.pages(host) == pages
    assert 8448 not in {port for _, port in host.listening()}


def test_an_edit_since_stays_and_only_our_line_goes(nginx: ThrowAwayHost) -> None:
    """The owner goes on with the site; a plan finds the line again, and a rollback takes out that line alone."""
    host = nginx
    prepare(host, None, "well-known")
    assert host.tool("apply", "--answers", ways.ANSWERS, "--yes").returncode == 0
    sites.edit(host, "max-age=31536000", "max-age=600")
    services.reload_nginx(host)
    planned = host.tool("plan", "--exit-code")
    assert planned.returncode == 0, planned.stdout
    rolled_back = host.tool("rollback", "--yes")
    assert rolled_back.returncode == 0, rolled_back.stdout
    assert host.read(sites.FILE) == sites.SITE.replace("max-age=31536000", "max-age=600")
    assert not host.exists("/etc/nginx/palpo-installer")


@pytest.mark.slow
def test_a_line_taken_out_by_hand_is_shown_again(nginx: ThrowAwayHost) -> None:
    """The plan adds it again; and a rollback of both runs leaves the file as it was."""
    host = nginx
    prepare(host, None, "well-known")
    before = host.snapshot()
    assert host.tool("apply", "--answers", ways.ANSWERS, "--yes").returncode == 0
    host.write(sites.FILE, sites.SITE)
    services.reload_nginx(host)
    planned = host.tool("plan", "--exit-code")
    assert planned.returncode == 3
    assert f"add one line to {sites.FILE}" in planned.stdout
    assert host.tool("apply", "--yes").returncode == 0
    assert host.tool("rollback", "0001", "--yes").returncode == 0
    assert ways.untouched(before, host) == {}


@pytest.mark.slow
def test_another_owner_of_the_website_takes_the_line_out(nginx: ThrowAwayHost) -> None:
    """From existing to elsewhere: line and file go in the change of the TLS ports, and a rollback brings both back."""
    host = nginx
    prepare(host, None, "well-known")
    assert host.tool("apply", "--answers", ways.ANSWERS, "--yes").returncode == 0
    included = host.snapshot()
    moved = host.tool("apply", "--set", "names.base_domain=elsewhere", "--yes")
    assert moved.returncode == 0, moved.stdout + moved.stderr
    assert host.read(sites.FILE) == sites.SITE
    assert not host.exists("/etc/nginx/palpo-installer/example.com-443.conf")
    rolled_back = host.tool("rollback", "0002", "--yes")
    assert rolled_back.returncode == 0, rolled_back.stdout
    assert ways.untouched(included, host) == {}


WILDCARD = sites.SITE.replace("example.com www.example.com", "*.com")
GENERATED = f"# This file was generated by site-factory. Do not edit.\n{sites.SITE}"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (GENERATED, "site-factory"),
        pytest.param(
            sites.SITE.replace("www.example.com", "shop.example.com"), "shop.example.com", marks=pytest.mark.slow
        ),
        pytest.param(WILDCARD.replace("*.com", "*.com example.*"), "example.*", marks=pytest.mark.slow),
    ],
    ids=["generated", "further-names", "wildcard"],
)
def test_what_a_person_has_to_do_is_said_and_seen(nginx: ThrowAwayHost, text: str, reason: str) -> None:
    """A block that we leave alone: the line with its place is printed; once it is there, verify is content."""
    host = nginx
    prepare(host, None, "well-known", text)
    before = host.read(sites.FILE)
    applied = host.tool("apply", "--answers", ways.ANSWERS, "--yes")
    assert applied.returncode == 0, applied.stdout + applied.stderr
    assert host.read(sites.FILE) == before
    place = sites.FILE.replace("available", "enabled")
    finding = next(line for line in applied.stdout.splitlines() if "by hand" in line)
    assert f"{place}:" in finding
    assert reason in finding
    ways.start_palpo(host)
    trust = ("--trust", sites.CHAIN)
    undone = host.tool("verify", *trust, "--json")
    failed = [check for check in json.loads(undone.stdout)["checks"] if check["result"] == "fail"]
    assert "client well-known" in {check["name"] for check in failed}
    assert any("the line that leads to our answers" in check["next"] for check in failed)

    line = finding.partition("reload nginx: ")[2].partition(" #")[0]
    sites.edit(host, f"    root {sites.ROOT};", f"    root {sites.ROOT};\n    {line}")
    services.reload_nginx(host)
    verified = json.loads(host.tool("verify", *trust, "--json").stdout)["checks"]
    about = [check for check in verified if "example.com" in check["subject"] and "well-known" in check["name"]]
    assert {check["result"] for check in about} == {"pass"}, about
    assert host.tool("plan", "--exit-code").returncode == 0
    # The line may stay: what it names is a pattern.
    assert host.tool("rollback", "--yes").returncode == 0
    assert line in host.read(sites.FILE)
    services.reload_nginx(host)


OWN_LOCATION = "location = /.well-known/matrix/client { return 404; }"
REFUSED = {
    "location of its own": (
        sites.SITE.replace(
            "    location ~", "    location = /.well-known/matrix/client { return 404; }\n    location ~"
        ),
        "location of its own",
    ),
    "return": (sites.SITE.replace(f"    root {sites.ROOT};", "    return 302 https://example.org;"), "return 302"),
    "rewrite": (sites.SITE.replace(f"    root {sites.ROOT};", "    rewrite ^ /index.php last;"), "rewrite"),
    "another default": (sites.SITE.replace("example.com www.example.com", "other.example"), "by chance"),
    "no TLS": (
        sites.PLAIN + sites.PLAIN.replace("listen 80", "listen 198.18.0.10:443").replace("    listen [::]:80;\n", ""),
        "without TLS",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_site_that_cannot_take_it_is_named(nginx: ThrowAwayHost, case: str) -> None:
    """Before anything is written: which line keeps our answers out, or who answers by chance, and what to do."""
    host, (text, reason) = nginx, REFUSED[case]
    prepare(host, None, "well-known", text)
    before = host.snapshot()
    refused = host.tool("apply", "--answers", ways.ANSWERS, "--yes")
    assert refused.returncode == 1, refused.stdout
    assert reason in refused.stderr
    assert "/etc/nginx/sites-enabled/example.com:" in refused.stderr
    assert host.snapshot() == before


def test_the_client_hosts_name_is_no_guest(nginx: ThrowAwayHost) -> None:
    """Clients need the whole host: said as an answer that does not go together with another."""
    host = nginx
    prepare(host, None, "well-known")
    refused = host.tool("plan", "--answers", ways.ANSWERS, "--set", "names.client_host=example.com")
    assert refused.returncode == 2
    assert "names.base_domain" in refused.stderr
    assert "whole host" in refused.stderr


def killed(host: ThrowAwayHost, places: list[int]) -> None:
    """Kill the engine after each number of records, and look that the host is as before."""
    before, pages = host.snapshot(), sites.pages(host)
    for last in places:
        identity, _ = register(host)
        assert engine(host, "kill", identity, str(last)) not in {0, 1, 5}, last
        recovered = host.tool("recover")
        assert recovered.returncode == 0, (last, recovered.stdout)
        assert ways.untouched(before, host) == {}, last
        forget_certificates(host)
    assert sites.pages(host) == pages


def test_killed_around_the_line(nginx: ThrowAwayHost) -> None:
    """SIGKILL when the line has been added, and nginx has not been told: the site is as it was."""
    prepare(nginx, None, "site")
    identity, _ = register(nginx)
    operations = json.loads(nginx.read(f"/var/lib/palpo-installer/runs/{identity}/plan.json"))["changes"]
    order = [each["kind"] for change in operations for each in [*change["operations"], {"kind": "activation"}]]
    acting = len(steps(nginx, identity)) + 2 * order.index("EditLines") + 1
    killed(nginx, [acting + 2])


@pytest.mark.slow
@pytest.mark.parametrize("way", ["well-known", "site"])
def test_killed_after_every_record(nginx: ThrowAwayHost, way: str) -> None:
    """SIGKILL right after each single record: the site and the rest of the host are as they were."""
    prepare(nginx, None, way)
    _, records = register(nginx)
    forget_certificates(nginx)
    killed(nginx, list(range(1, records)))
