from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from palpo_installer.answers import BaseDomain, CertificateFiles, Delegation, Federation, Names
from palpo_installer.errors import RefusedPlan
from palpo_installer.host import Host
from palpo_installer.layout import Layout
from palpo_installer.matrix_site import LOGIN, build
from palpo_installer.operations.lines import edited
from palpo_installer.proxies.assignment import Assignment
from palpo_installer.proxies.base import Rendering
from palpo_installer.proxies.haproxy import reading, tree
from palpo_installer.proxies.haproxy.configuration import HAProxy
from palpo_installer.proxies.haproxy.control import verdict
from palpo_installer.proxies.haproxy.limits import window
from palpo_installer.proxies.haproxy.placement import AWAY_PAGE, REFUSE, SECURE
from palpo_installer.proxies.haproxy.rendering import render
from palpo_installer.proxies.haproxy.unit import line_for_options
from palpo_installer.site import (
    Site,
)
from tests.facts.made import certificate
from tests.proxies.nginx.sites import ANSWERS, HOST

DEFAULTS = "defaults\n    mode http\n    timeout connect 1s\n    timeout client 5s\n    timeout server 5s\n"
WEB = """\
frontend web
    bind :80
    http-request redirect scheme https unless { ssl_fc }
    default_backend pages
frontend tls
    bind :443 ssl crt CERTS
    use_backend pages if { hdr(host) -i shop.example }
    default_backend pages
backend pages
    http-request return status 200
"""


def found(tmp_path: Path, text: str = "", **more: object) -> HAProxy:
    """Return an HAProxy that loads a directory with this in it."""
    directory = tmp_path / "conf.d"
    directory.mkdir(exist_ok=True)
    (directory / "site.cfg").write_text(DEFAULTS + text.replace("CERTS", f"{tmp_path}/certs/"))
    (tmp_path / "certs").mkdir(exist_ok=True)
    read = tree.load(Host(), [directory])
    fronts, problems = reading.frontends(Host(), read.sections)
    assert problems == ()
    made = HAProxy(
        binary=Path("/usr/sbin/haproxy"), version=(2, 6, 12), configuration=directory, files=read.files,
        servers=reading.blocks(Host(), fronts), streams=(), problems=(), user="haproxy", error_log="",
        pid_file="/run/haproxy.pid", pid=7, unit="", unit_enabled=None, loads=(directory,), directories=(directory,),
        sections=read.sections, frontends=fronts,
    )  # fmt: skip
    return replace(made, **more)  # type: ignore[arg-type]


def certificates(tmp_path: Path, site: Site) -> Mapping[str, CertificateFiles]:
    """Return a real certificate for each name."""
    files = {}
    for name in site.certificates:
        made = CertificateFiles(tmp_path / f"{name}.chain", tmp_path / f"{name}.privkey")
        certificate(name).write(made.chain, made.key)
        files[name] = made
    return files


def rendered(tmp_path: Path, haproxy: HAProxy) -> Rendering:
    """Return the files of the usual answers."""
    site = build(ANSWERS, Layout())
    return render(haproxy, Assignment(site, HOST, Layout(tmp_path), certificates(tmp_path, site)))


@pytest.mark.parametrize(("theirs", "count", "lua"), [(WEB, 3, False), ("", 0, True)], ids=["shared", "alone"])
def test_haproxy_loads_what_we_write_and_warns_of_nothing(tmp_path: Path, theirs: str, count: int, lua: bool) -> None:
    """Both halves, with lines in others' frontends or with our own: the real program's own test is content."""
    haproxy = found(tmp_path, theirs, lua=lua)
    neighbour, key = tmp_path / "certs/site.pem", tmp_path / "certs/site.pem.key"
    certificate("shop.example").write(neighbour, key)
    both = rendered(tmp_path, haproxy)
    # Either half may have to do without the other.
    assert both.plain.lines == both.secure.lines
    assert len(both.plain.lines) == bool(count)
    for lines in both.plain.lines:
        added = {line.before: line.text for line in lines.add}
        assert len(added) == len(lines.add) == count
        lines.path.write_bytes(edited(lines.path.read_bytes(), added, lines.drop))
    for part in (both.plain, both.secure):
        for file in part.files:
            file.path.parent.mkdir(parents=True, exist_ok=True)
            file.path.write_text(file.text)
        for link in part.links:
            link.path.parent.mkdir(parents=True, exist_ok=True)
            link.path.symlink_to(link.target)
    said = subprocess.run(
        ["haproxy", "-c", "-f", str(tmp_path / "conf.d")], check=False, capture_output=True, text=True
    )
    judged = verdict(said.returncode == 0, said.stderr)
    assert (judged.loads, judged.error, judged.warnings) == (True, "", ())


def test_a_second_rendering_finds_its_lines_and_is_the_same(tmp_path: Path) -> None:
    """Lines that stand are not added again, names in them are no rival's, and the marker stays."""
    first = rendered(tmp_path, found(tmp_path, WEB))
    (lines,) = first.plain.lines
    text = edited(lines.path.read_bytes(), {line.before: line.text for line in lines.add}, ()).decode()
    for part in (first.plain, first.secure):
        for file in part.files:
            file.path.parent.mkdir(parents=True, exist_ok=True)
            file.path.write_text(file.text)
    again = rendered(tmp_path, found(tmp_path, text.removeprefix(DEFAULTS)))
    assert again.plain.lines == ()
    assert [each.files for each in (again.plain, again.secure)] == [each.files for each in (first.plain, first.secure)]


def test_a_line_leads_only_the_names_that_are_ours_on_its_port(tmp_path: Path) -> None:
    """With SRV records the base domain is ours on the port for federation alone: its website stays where it is."""
    answers = replace(
        ANSWERS,
        names=Names("example.com", "matrix.example.com", BaseDomain.EXISTING),
        federation=Federation(Delegation.SRV, 8448),
    )
    both = "frontend both\n bind :443 ssl crt CERTS\n bind :8448 ssl crt CERTS\n default_backend x\n"
    site = build(answers, Layout())
    haproxy = found(tmp_path, WEB.replace("bind :443 ssl crt CERTS", "bind :8443 ssl crt CERTS") + both)
    rendering = render(haproxy, Assignment(site, HOST, Layout(tmp_path), certificates(tmp_path, site)))
    (lines,) = rendering.secure.lines
    conditions = [line.text.partition("host_only -i ")[2].partition("  #")[0] for line in lines.add]
    assert conditions[:2] == ["matrix.example.com }"] * 2
    assert conditions[2:] == ["matrix.example.com } { dst_port 443 }", "example.com } { dst_port 8448 }"]


def test_a_line_for_other_names_goes(tmp_path: Path) -> None:
    """After a change of names the earlier line makes room."""
    (lines,) = rendered(tmp_path, found(tmp_path, WEB)).plain.lines
    text = edited(lines.path.read_bytes(), {line.before: line.text for line in lines.add}, ()).decode()
    old = text.removeprefix(DEFAULTS).replace("-i matrix.example.com", "-i old.example.com")
    (changed,) = rendered(tmp_path, found(tmp_path, old)).plain.lines
    assert (len(changed.add), len(changed.drop)) == (3, 3)
    assert all("old.example.com" in line for line in changed.drop)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("frontend pass\n mode tcp\n bind :443\n default_backend x\n", "on unread (mode tcp)"),
        ("frontend web\n bind :443\n default_backend x\n", "speaks plain HTTP on port 443"),
        ("frontend web\n bind :80\n redirect scheme https\n default_backend x\n", "answers before any line of ours"),
        ("frontend web\n bind :80\n use_backend x if { hdr(host) -i Matrix.example.com }\n", "has rules for"),
        ("frontend tls\n bind :443 ssl crt /etc/one.pem\n default_backend x\n", "certificates one by one"),
        ("frontend web\n bind :80\n", "chooses no backend"),
    ],
)
def test_who_is_in_the_way_is_named_with_a_cure(tmp_path: Path, text: str, reason: str) -> None:
    """Nothing is written where a frontend cannot take our line; its place and what to do are told."""
    with pytest.raises(RefusedPlan, match=re.escape(reason)) as raised:
        rendered(tmp_path, found(tmp_path, text))
    assert str(tmp_path / "conf.d/site.cfg") in raised.value.where
    assert "plan again" in raised.value.next


def test_a_unit_that_loads_one_file_is_told_to_load_ours(tmp_path: Path) -> None:
    """By one line, which keeps the options that it has; and the person is told of the restart."""
    file = tmp_path / "default"
    options = {"directories": (), "environment_file": file, "options": "-S /m.sock", "options_line": 2}
    both = rendered(tmp_path, found(tmp_path, "", **options))
    ((line,),) = (each.add for each in both.plain.lines)
    assert (line.text, line.before) == ('EXTRAOPTS="-S /m.sock -f /etc/haproxy/palpo-installer"', 2)
    assert any("one restart" in finding for finding in both.findings)
    with pytest.raises(RefusedPlan, match="single files only"):
        rendered(tmp_path, found(tmp_path, directories=()))
    with pytest.raises(RefusedPlan, match="without a main process"):
        rendered(tmp_path, found(tmp_path, master=False))


@pytest.mark.parametrize(
    ("text", "line"), [("# a\n#EXTRAOPTS=x\n", 2), ("EXTRAOPTS=x\n# end\n", 2), ("EXTRAOPTS=x\n", 0), ("", 0)]
)
def test_our_options_come_after_all_others(text: str, line: int) -> None:
    """The last assignment is the one that counts; where nothing can stand behind it there is no place."""
    assert line_for_options(text) == line


def test_a_limit_is_a_burst_in_its_time() -> None:
    """Eleven at once, and ten a minute in the long run."""
    assert window(LOGIN) == 66


@pytest.mark.parametrize(
    ("version", "lua", "reads"), [((2, 6, 12), True, True), ((2, 6, 12), False, False), ((3, 0, 0), True, False)]
)
def test_refused_bodies_are_read_where_haproxy_does_not_do_so_itself(
    tmp_path: Path, version: tuple[int, int, int], lua: bool, reads: bool
) -> None:
    """By a file of Lua that the half for TLS has, and its marker counts both; else the refusal is HAProxy's own."""
    both = rendered(tmp_path, found(tmp_path, version=version, lua=lua))
    texts = {file.path.name: file.text for file in both.secure.files}
    text = texts[SECURE]
    assert len(both.plain.files) == 1
    assert (REFUSE in texts) is reads
    assert ("use-service lua.palpo-installer-refuse" in text) is reads
    assert ("return status 413" in text) is not reads
    assert all(both.secure.expectations[0].marker in each for name, each in texts.items() if name != AWAY_PAGE)


def test_what_is_said_of_a_homeserver_that_is_away_is_a_whole_answer(tmp_path: Path) -> None:
    """HAProxy sends the file as it is, whatever status it is for: that in it is 502, the length that of its body."""
    (page,) = (file.text for file in rendered(tmp_path, found(tmp_path)).secure.files if file.path.name == AWAY_PAGE)
    head, body = page.split("\n\n")
    status, *headers = head.splitlines()
    assert status == "HTTP/1.1 502 Bad Gateway"
    assert f"Content-Length: {len(body)}" in headers
    assert "Access-Control-Allow-Origin: *" in headers
    assert json.loads(body)["errcode"] == "M_UNKNOWN"


@pytest.mark.parametrize(
    ("theirs", "number"), [("", "2"), ("http-request track-sc2 src", "1"), ("tcp-request content track-sc1 src", "2")]
)
def test_logins_are_counted_by_a_counter_that_nobody_else_uses(tmp_path: Path, theirs: str, number: str) -> None:
    """A counter that a frontend set before would count in its table, and ours would never fill."""
    (file, *_) = rendered(tmp_path, found(tmp_path, f"frontend f\n {theirs}\n" if theirs else "")).secure.files
    assert set(re.findall(r"track-sc(\d) req.hdr_ip\(X-Forwarded-For\),ipmask\(32,64\) table", file.text)) == {number}
    assert set(re.findall(r"sc_gpc0_rate\((\d),|sc-inc-gpc0\((\d)\)", file.text)) == {(number, ""), ("", number)}


def test_where_all_counters_are_in_use_logins_are_counted_by_address(tmp_path: Path) -> None:
    """By fetches that need none."""
    rules = "".join(f" http-request track-sc{number} src\n" for number in range(3))
    (file, *_) = rendered(tmp_path, found(tmp_path, f"frontend f\n{rules}")).secure.files
    assert "track-sc" not in file.text
    assert file.text.count("src_inc_gpc0(") == file.text.count("src_gpc0_rate(") > 0


@pytest.mark.parametrize("options", ["", " accept-proxy"])
def test_ports_without_a_proxy_line_beside_others_with_one_are_told(tmp_path: Path, options: str) -> None:
    """Whoever set up a load balancer has to know; the gates send a line only where it is expected."""
    both = rendered(tmp_path, found(tmp_path, f"frontend f\n bind :80{options}\n default_backend x\n"))
    assert any("Port 443 takes connections without a PROXY line" in each for each in both.findings) is bool(options)
    lines = {(each.port, each.proxy_protocol) for part in (both.plain, both.secure) for each in part.expectations}
    assert lines == {(80, bool(options)), (443, False)}


def test_a_verdict_has_the_place() -> None:
    """File and line of the first alert, and warnings by themselves."""
    said = (
        "[NOTICE]   (7) : haproxy version is 2.6.12\n"
        "[WARNING]  (7) : config : missing timeouts for frontend 'x'.\n"
        "[ALERT]    (7) : config : parsing [/etc/haproxy/x.cfg:3] : unknown keyword 'y'\n"
        "[ALERT]    (7) : config : Fatal errors found in configuration.\n"
    )
    judged = verdict(False, said)
    assert (judged.loads, judged.file, judged.line) == (False, Path("/etc/haproxy/x.cfg"), 3)
    assert len(judged.warnings) == 1
