"""A guest in the frontends of a real HAProxy: what answers, what stays as it was, and what is said against it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from palpo_installer.errors import RefusedPlan
from palpo_installer.host import Host
from palpo_installer.operations.lines import directive
from palpo_installer.proxies.answering import By
from palpo_installer.proxies.haproxy.configuration import HAProxy
from palpo_installer.proxies.haproxy.reading import blocks, frontends
from palpo_installer.proxies.haproxy.tree import load
from palpo_installer.proxies.haproxy.virtual_hosts import HAProxyVirtualHosts
from palpo_installer.proxies.who_answers import answering
from palpo_installer.site import Challenge, Guest, Marker
from tests.lab.guest_trials import DOCUMENT, NAME, THEIRS, Trial, answers_beside, no_document_answers, put_in, routes
from tests.lab.nginx_with_neighbours import LOOPBACK
from tests.lab.pebble import running
from tests.lab.running import require_programs
from tests.ports import free_ports

BODY = r'{"m.homeserver":{"base_url":"https://matrix.example.com"},"note":"a\u00e9 \"b\" 100% #"}'

MAIN = """\
global
    log stderr local0 emerg
defaults
    mode http
    timeout client 5s
    timeout server 5s
    timeout connect 1s
    retries 0
"""
PAGE = 'http-request return status 200 content-type text/plain string "page of "'

SITES = {
    "a page": PAGE,
    "a backend for all": "default_backend nowhere",
    "a backend for names": "acl ours hdr(host) -i example.com\nuse_backend nowhere if ours\ndefault_backend nowhere",
    "everything is redirected": "http-request redirect location https://elsewhere.example/ code 301",
    "as in old times": "redirect prefix https://elsewhere.example code 301",
    "everything is denied": "acl all path_beg /\nhttp-request deny if all",
    "a password": "http-request auth realm x",
    "its own header": f'http-response set-header Access-Control-Allow-Origin "*"\n{PAGE}',
    "rules on connections": f"tcp-request inspect-delay 1s\ntcp-request content accept if HTTP\n{PAGE}",
    "changed before": "http-request set-header X-Proto https\nhttp-request set-path /x\ndefault_backend nowhere",
}
"""Frontends where every path of ours answers, and nothing certain is said against it."""

KEPT_OUT = {
    "connections are ended": "tcp-request content reject",
    "connections are refused": "tcp-request connection reject",
}
"""Frontends where none of ours answers."""


def trials(root: Path, sites: Mapping[str, str], defaults: str = "") -> dict[str, Trial]:
    """Write a HAProxy with these frontends, each on a port of its own, and read it as we do."""
    require_programs("haproxy")
    ports = dict(zip(sites, free_ports(len(sites)), strict=True))
    text = MAIN + "".join(f"    {line}\n" for line in defaults.splitlines())
    for label, port in ports.items():
        rules = "".join(f"\t{line}\n" for line in sites[label].splitlines())
        text += f"\nfrontend of_{port}\n\tbind {LOOPBACK}:{port}\n{rules}"
    (root / "haproxy.cfg").write_text(f"{text}\nbackend nowhere\n    server s {LOOPBACK}:9\n")
    there = HAProxyVirtualHosts(haproxy(root), Host())
    found = {block.listens[0].port: block for block in there.proxy.servers}
    answers = routes(BODY)
    return {
        label: Trial(there, found[port], port, there.leaflet(Guest(NAME, port, False, answers)), BODY)
        for label, port in ports.items()
    }


def haproxy(root: Path) -> HAProxy:
    """Return a HAProxy as it is read."""
    tree = load(Host(), [root / "haproxy.cfg"])
    accepting, problems = frontends(Host(), tree.sections)
    return HAProxy(
        binary=Path("/usr/sbin/haproxy"), version=(2, 6, 12), configuration=root / "haproxy.cfg", files=tree.files,
        servers=blocks(Host(), accepting), streams=(), problems=(*tree.problems, *problems), user="", error_log="",
        pid_file="", pid=None, unit="", unit_enabled=None, sections=tree.sections, frontends=accepting,
    )  # fmt: skip


@contextmanager
def served(root: Path, port: int) -> Iterator[None]:
    """Run the HAProxy of some trials; its own test has nothing to say."""
    argv = (shutil.which("haproxy") or "/usr/sbin/haproxy", "-db", "-f", str(root / "haproxy.cfg"))
    tested = subprocess.run([argv[0], "-c", *argv[2:]], check=False, capture_output=True, text=True, timeout=20)
    assert (tested.returncode, tested.stderr) == (0, ""), tested.stderr
    with running(argv, {}, port):
        yield


def test_beside_such_rules_our_paths_answer_and_theirs_as_before(tmp_path: Path) -> None:
    """Documents with one header of each kind, for one name alone; no proofs, and a marker with a page's status."""
    found = trials(tmp_path, SITES)
    asked = (*THEIRS, (DOCUMENT, "b.example"))
    deviations = {"proof", "status of the marker"}
    answers_beside(found, lambda: served(tmp_path, found["a page"].port), asked, deviations)


def test_a_line_that_is_there_is_found_and_one_for_other_answers_gives_way(tmp_path: Path) -> None:
    """By the file that it reads; for the lines that lead to that a predicate tells."""
    (trial,) = trials(tmp_path, {"a page": PAGE}).values()
    assert trial.sites.inclusions(trial.leaflet, trial.block) == ()
    put_in({"a page": trial})
    again = HAProxyVirtualHosts(haproxy(tmp_path), Host())
    (block,) = again.proxy.servers
    closed, there = again.inclusions(trial.leaflet, block)
    for each in (closed, there):
        assert again.leads_to(each.directive, trial.leaflet.file.path)
        assert not again.leads_to(each.directive, trial.leaflet.file.path.with_name("other-443.map"))
    assert again.inclusions(replace(trial.leaflet, line="http-request return status 200"), block) == ()


def test_where_one_of_our_lines_is_missing_both_are_put_anew(tmp_path: Path) -> None:
    """Alone, the one for documents would answer for closed paths too, and with 200; it is known as ours, and goes."""
    (trial,) = trials(tmp_path, {"a page": PAGE}).values()
    put_in({"a page": trial})
    file = tmp_path / "haproxy.cfg"
    file.write_text("\n".join(line for line in file.read_text().split("\n") if "status 404" not in line))
    again = HAProxyVirtualHosts(haproxy(tmp_path), Host())
    (block,) = again.proxy.servers
    assert again.inclusions(trial.leaflet, block) == ()
    alone = [directive(line) for line in file.read_text().split("\n") if "lf-string" in line]
    assert [again.leads_to(line, trial.leaflet.file.path) for line in alone] == [True]


def test_what_ends_connections_is_foreseen(tmp_path: Path) -> None:
    """With its line, and none of our documents answers there."""
    found = trials(tmp_path, KEPT_OUT)
    for label, each in found.items():
        (said,) = each.said
        assert said.where == f"{each.block.file}:{each.block.line + 2}", label
    no_document_answers(found, lambda: served(tmp_path, next(iter(found.values())).port))


@pytest.mark.parametrize(
    ("site", "certain"),
    [
        ("http-after-response set-header Access-Control-Allow-Origin *", False),
        ("tcp-request connection reject if { src 192.0.2.1 }", False),
    ],
)
def test_what_may_change_our_answers_is_told(tmp_path: Path, site: str, certain: bool) -> None:
    """Each with its line."""
    (found,) = trials(tmp_path, {"site": f"{site}\n{PAGE}"}).values()
    (said,) = found.sites.conflicts(found.leaflet, found.block)
    assert (said.certain, said.where) == (certain, f"{found.block.file}:{found.block.line + 2}")


def test_proofs_are_refused_with_the_way_out(tmp_path: Path) -> None:
    """HAProxy answers with no files."""
    (found,) = trials(tmp_path, {"site": PAGE}).values()
    with pytest.raises(RefusedPlan, match=r"certificates\.base_domain = site"):
        found.sites.leaflet(Guest(NAME, 80, False, (Marker(), Challenge(Path("/var/lib/proofs")))))


def test_a_frontend_answers_for_a_name_by_its_rules_or_for_every_name(tmp_path: Path) -> None:
    """By a rule for the name or what it ends with, by a backend for all, or only by chance."""
    rules = "use_backend nowhere if { hdr(host) -i a.example } || { hdr_end(host) -i .b.example }"
    (port,) = free_ports(1)
    reasons = {}
    for default in ("", "default_backend nowhere", "redirect scheme https", "redirect scheme https if { ssl_fc }"):
        text = f"{MAIN}frontend f\n    bind {LOOPBACK}:{port}\n    {default}\n    {rules}\nbackend nowhere\n"
        (tmp_path / "haproxy.cfg").write_text(text)
        found = haproxy(tmp_path)
        reasons[default] = [answering(found, name, port)[0].by for name in ("A.example", "x.b.example", "c.example")]
    told = {default: by[2] for default, by in reasons.items()}
    assert {tuple(by[:2]) for by in reasons.values()} == {(By.NAME, By.WILDCARD)}
    assert list(told.values()) == [By.DEFAULT, By.ANY, By.ANY, By.DEFAULT]
