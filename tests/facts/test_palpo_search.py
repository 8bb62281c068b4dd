from __future__ import annotations

import json
from pathlib import Path

from palpo_installer import processes
from palpo_installer.facts import containers, listeners
from palpo_installer.facts.containers import Container
from palpo_installer.facts.listeners import Listener
from palpo_installer.facts.palpo import Palpo, PalpoConfiguration
from palpo_installer.facts.palpo_search import candidates, read
from palpo_installer.probe import Answer, Question
from tests.recorded import RecordedHost, Recording, Running, recorded

VERSIONS = json.dumps({"net.zemos.msc4383.server": {"name": "Palpo", "version": "0.4.0"}}).encode()
UNIT = {"/etc/systemd/system/palpo.service": ("[Service]", "ExecStart=/usr/bin/palpo", "User=palpo")}
OURS = {
    "/etc/systemd/system/palpo-installer-renew.service": (
        "[Service]",
        "ExecStart=/opt/palpo-installer/bin/palpo-installer renew",
    )
}


def look(host: RecordedHost, answer: Answer = Answer(problem="refused")) -> tuple[Palpo, list[Question]]:  # noqa: B008
    """Return what is found where every socket gives one answer, and what was asked."""
    asked: list[Question] = []

    def ask(question: Question) -> Answer:
        asked.append(question)
        return answer

    running = processes.read(host)
    boxes = containers.read(host, running, lambda _: None)
    return read(host, running, boxes, listeners.read(host, running, boxes, lambda _: None), ask), asked


def listener(address: str, port: int, process: str = "", container: str = "") -> Listener:
    """Return a listener."""
    return Listener(address, port, False, process, 1, "", container)


def test_palpo_in_a_container_is_found_with_its_file_and_published_port(tmp_path: Path) -> None:
    """The mounted file is the host's, the port the published one; its environment's secrets go nowhere."""
    found, asked = look(recorded("palpo_in_container", tmp_path), Answer(status=200, body=VERSIONS))
    assert (found.runs_as, found.container, found.runtime) == ("container", "palpo-server-1", "docker")
    assert [(each.path, each.server_name) for each in found.configurations] == [
        (tmp_path / "srv/palpo/palpo.toml", "example.org")
    ]
    assert (found.answers_at, found.version) == ("127.0.0.1:8018", "0.4.0")
    assert [(each.target, each.tls) for each in asked] == [("/_matrix/client/versions", False)]
    assert "secret" not in repr(found)


def test_a_unit_is_how_palpo_runs_also_while_it_is_stopped(tmp_path: Path) -> None:
    """The account is the unit's; our own renewal unit is not Palpo's."""
    found, asked = look(RecordedHost(Recording({**UNIT, **OURS}), tmp_path))
    assert (found.runs_as, found.unit, found.user, found.group) == ("unit", "palpo.service", "palpo", "palpo")
    assert (found.answers_at, asked) == ("", [])


def test_a_running_palpo_tells_its_unit(tmp_path: Path) -> None:
    """The control group decides, whatever other units mention Palpo."""
    other = {
        "/etc/systemd/system/backup-palpo.service": ("[Service]", "ExecStart=/usr/bin/backup palpo", "User=backup")
    }
    running = Running(5, "palpo", ("/usr/bin/palpo",), cgroup=("0::/system.slice/palpo.service",))
    found, _ = look(RecordedHost(Recording({**UNIT, **other}, processes=(running,)), tmp_path))
    assert (found.runs_as, found.unit, found.user) == ("unit", "palpo.service", "palpo")


def test_palpo_started_by_hand_is_a_process_and_the_installer_is_not_palpo(tmp_path: Path) -> None:
    """A person's shell is no unit; a name that only begins the same does not count."""
    hand = Running(5, "palpo", ("./palpo",), cgroup=("0::/user.slice/user-0.slice/session-1.scope",))
    ours = Running(6, "palpo-installer", ("/opt/palpo-installer/bin/palpo-installer", "detect"))
    assert look(RecordedHost(Recording({}, processes=(hand, ours)), tmp_path / "a"))[0].runs_as == "process"
    assert look(RecordedHost(Recording(OURS, processes=(ours,)), tmp_path / "b"))[0].runs_as == "stopped"


def test_only_palpo_answering_is_taken_for_it(tmp_path: Path) -> None:
    """Another homeserver, an error or a refused connection leaves the address empty."""
    for number, answer in enumerate(
        (Answer(status=200, body=b'{"versions":[]}'), Answer(status=502, body=VERSIONS), Answer(problem="refused"))
    ):
        found, asked = look(recorded("palpo_in_container", tmp_path / str(number)), answer)
        assert (found.answers_at, len(asked)) == ("", 1)


def test_candidates_are_palpos_own_sockets_then_those_it_is_told_to_use() -> None:
    """Proxies and foreign ports are not asked, wildcards are asked on loopback, other addresses not at all."""
    written = PalpoConfiguration(Path("/p.toml"), "", "", ("0.0.0.0:8888", "[::1]:9999", "broken"), "")
    box = Container("ab", "palpo", "palpo", "docker", (("127.0.0.1", 8018),))
    found = (
        listener("0.0.0.0", 443, "nginx"),
        listener("127.0.0.1", 8008, "haproxy"),
        listener("0.0.0.0", 8888, "python3"),
        listener("::", 9999),
        listener("127.0.0.1", 5432, "postgres"),
        listener("192.0.2.1", 8008, "palpo"),
        listener("127.0.0.1", 8018, "docker-proxy", "palpo"),
        listener("0.0.0.0", 6000, "palpo"),
    )
    expected = (("127.0.0.1", 8018), ("127.0.0.1", 6000), ("127.0.0.1", 8888), ("::1", 9999))
    assert candidates(found, (written,), box) == expected
