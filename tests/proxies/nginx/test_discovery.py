from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from palpo_installer import processes
from palpo_installer.host import Host
from palpo_installer.processes import consult
from palpo_installer.proxies.nginx.configuration import Nginx
from palpo_installer.proxies.nginx.discovery import Started, parse_title, read
from tests.recorded import RecordedHost, Recording, Running, Said, recorded

TITLE = "nginx: master process /usr/sbin/nginx"
VERSION = Said(stderr=("nginx version: nginx/1.22.1", "configure arguments: --conf-path=/etc/nginx/nginx.conf"))


@pytest.mark.parametrize(
    ("title", "started"),
    [
        (TITLE, Started("", "")),
        (f"{TITLE} -c /srv/n.conf", Started("/srv/n.conf", "")),
        (f"{TITLE} -c/srv/n.conf -p /srv/", Started("/srv/n.conf", "/srv/")),
        (f"{TITLE} -g daemon on; master_process on;", Started("", "")),
        (f"{TITLE} -g daemon off; -c /srv/n.conf", Started("/srv/n.conf", "")),
        (f"{TITLE} -e stderr -qc /srv/n.conf", Started("/srv/n.conf", "", "stderr")),
        (f"{TITLE} -c", Started("", "")),
    ],
)
def test_a_master_tells_how_it_was_started(title: str, started: Started) -> None:
    """The forms that nginx's own option reader takes, with the quotes that a title has lost."""
    assert parse_title(title) == started


def look(host: RecordedHost, *owners: int) -> Nginx | None:
    """Return the nginx of a recorded host; ``owners`` listen in our network."""
    return read(host, processes.read(host), frozenset(owners), lambda _: None)


def test_debians_nginx_is_found_running_with_its_sites(tmp_path: Path) -> None:
    """Sites in order, the directory for ours last, the unit from the control group."""
    found = look(recorded("debian_sites", tmp_path), 612)
    assert found is not None
    assert (found.pid, found.unit, found.unit_enabled) == (612, "nginx.service", True)
    assert [(server.names, server.file.name) for server in found.servers] == [
        (("_",), "default"),
        (("shop.example", "www.shop.example"), "shop"),
    ]
    shop = found.servers[1]
    assert [(each.address, each.port, each.options) for each in shop.listens] == [("192.0.2.10", 443, ("ssl", "http2"))]
    assert found.includes[-1].directory == tmp_path / "etc/nginx/sites-enabled"
    assert (found.version, found.user, found.problems) == ((1, 22, 1), "www-data", ())


def test_almas_nginx_has_its_default_site_in_the_main_file(tmp_path: Path) -> None:
    """Ours go into conf.d, the only directory of http; a disabled unit is told."""
    found = look(recorded("alma_conf_d", tmp_path), 900)
    assert found is not None
    assert [each.directory.name for each in found.includes] == ["conf.d"]
    assert [server.file.name for server in found.servers] == ["site.conf", "nginx.conf"]
    assert (found.unit_enabled, found.user) == (False, "nginx")


def test_a_stopped_nginx_is_read_like_a_running_one(tmp_path: Path) -> None:
    """There is no process, and the unit is the one that would start it."""
    found = look(recorded("nginx_stopped", tmp_path))
    assert found is not None
    assert (found.pid, found.unit, found.unit_enabled, len(found.servers)) == (None, "nginx.service", False, 1)


def test_nginx_is_only_asked_for_its_build(tmp_path: Path) -> None:
    """Its own test would create files when it is stopped."""
    host = recorded("nginx_stopped", tmp_path)
    look(host)
    assert [command for command in host.asked if "/nginx" in command.split()[0]] == ["/usr/sbin/nginx -V"]


def test_without_nginx_there_is_none(tmp_path: Path) -> None:
    """No program, or another root without a configuration of nginx."""
    assert look(recorded("another_on_80", tmp_path / "a")) is None
    programs = {"nginx": "/usr/sbin/nginx"}
    assert look(RecordedHost(Recording({}, {"/usr/sbin/nginx -V": VERSION}, programs=programs), tmp_path / "b")) is None


def test_a_program_that_does_not_answer_is_told(tmp_path: Path) -> None:
    """What calls itself nginx and tells no version is left out with a sentence."""
    host = RecordedHost(Recording({"/etc/nginx/nginx.conf": ()}, programs={"nginx": "/opt/nginx"}), tmp_path)
    notes: list[str] = []
    assert read(host, (), frozenset(), notes.append) is None
    assert notes == ["/opt/nginx -V gave no answer that could be read; nginx is left out."]


def test_without_a_unit_there_is_nothing_to_enable(tmp_path: Path) -> None:
    """A master that a person started has none, and neither has a host whose systemd knows no nginx."""
    by_hand = Running(30, "nginx", (f"{TITLE} -c {tmp_path}/a/etc/nginx/nginx.conf",))
    running = look(masters(tmp_path / "a", by_hand), 30)
    files: dict[str, tuple[str, ...]] = {"/etc/nginx/nginx.conf": (), "/run/systemd/system/x": ()}
    unknown = {
        "/usr/sbin/nginx -V": VERSION,
        f"systemctl --root={tmp_path / 'b'} is-enabled nginx.service": Said(("not-found",), status=1),
    }
    stopped = look(RecordedHost(Recording(files, unknown, programs={"nginx": "/usr/sbin/nginx"}), tmp_path / "b"))
    for found, pid in ((running, 30), (stopped, None)):
        assert found is not None
        assert (found.pid, found.unit, found.unit_enabled) == (pid, "", None)


def masters(root: Path, *running: Running, commands: dict[str, Said] | None = None) -> RecordedHost:
    """Return a host with nginx and these processes."""
    answers = {"/usr/sbin/nginx -V": VERSION, **(commands or {})}
    files: dict[str, tuple[str, ...]] = {"/etc/nginx/nginx.conf": ("events {}",)}
    return RecordedHost(Recording(files, answers, (), running, {"nginx": "/usr/sbin/nginx"}), root)


def test_the_master_is_one_that_listens_here_and_in_no_container(tmp_path: Path) -> None:
    """Another network's master, a container's and one of another configuration are not ours."""
    ours = Running(30, "nginx", (f"{TITLE} -c {tmp_path}/etc/nginx/nginx.conf",), started=9.0)
    elsewhere = replace(ours, pid=10, started=1.0)
    boxed = replace(ours, pid=11, started=2.0, cgroup=(f"0::/docker/{'ab' * 32}",))
    other = Running(12, "nginx", (f"{TITLE} -c /srv/other.conf",), started=3.0)
    worker = Running(31, "nginx", ("nginx: worker process",))
    found = look(masters(tmp_path, elsewhere, boxed, other, ours, worker), 30, 12)
    assert found is not None
    assert found.pid == 30


def test_a_containers_nginx_is_not_ours_even_on_our_network(tmp_path: Path) -> None:
    """With host networking it listens here, but its files are the container's."""
    title = f"{TITLE} -c {tmp_path}/etc/nginx/nginx.conf"
    boxed = Running(11, "nginx", (title,), cgroup=(f"0::/docker/{'ab' * 32}",))
    found = look(masters(tmp_path, boxed), 11)
    assert found is not None
    assert found.pid is None


def test_a_master_of_another_network_namespace_is_not_ours(tmp_path: Path) -> None:
    """One that holds no port here is ours only if it shares our network, or that cannot be seen."""
    master = Running(30, "nginx", (f"{TITLE} -c {tmp_path}/etc/nginx/nginx.conf",))
    question = "stat -L -c %i /proc/self/ns/net /proc/30/ns/net"
    for inodes, expected in ((("1", "2"), None), (("1", "1"), 30), (("1",), 30)):
        found = look(masters(tmp_path, master, commands={question: Said(inodes)}))
        assert found is not None
        assert found.pid == expected


def test_real_network_namespaces_are_compared() -> None:
    """The command that is asked prints one number for each namespace."""
    said = consult(Host(), "stat", "-L", "-c", "%i", "/proc/self/ns/net", "/proc/self/ns/net")
    assert said is not None
    assert len(set(said.stdout.split())) == 1
