from __future__ import annotations

from pathlib import Path

from palpo_installer import processes
from palpo_installer.facts.containers import Container, named, parse, published, read
from tests.recorded import RecordedHost, Recording, Running, recorded

ID = "ab" * 32


def test_running_containers_are_read_from_the_listing() -> None:
    """Both runtimes print the same columns; a line of another form is left out."""
    text = f"{ID}\tweb\tdocker.io/library/nginx:1\t0.0.0.0:80->80/tcp, [::]:80->80/tcp\nWARNING: something\n"
    ports = (("0.0.0.0", 80), ("::", 80))
    assert parse(text, "podman") == (Container(ID, "web", "docker.io/library/nginx:1", "podman", ports),)


def test_published_ports_are_those_of_the_host() -> None:
    """Ranges, both ways of writing IPv6 and a missing address are understood; UDP and inner ports are none."""
    assert published(":::8448->8448/tcp") == (("::", 8448),)
    assert published("127.0.0.1:8000-8002->9000-9002/tcp") == tuple(("127.0.0.1", port) for port in (8000, 8001, 8002))
    assert published(":8080->80/tcp") == (("0.0.0.0", 8080),)
    assert published("5432/tcp, 0.0.0.0:53->53/udp") == ()


def test_a_container_is_called_by_its_name_where_it_is_known() -> None:
    """The short id of a control group finds the name; an unknown one stays as it is."""
    container = Container(ID, "web", "", "docker", ())
    assert named((container,), ID[:12]) == "web"
    assert named((container,), "ffffffffffff") == "ffffffffffff"


def test_a_runtime_that_does_not_run_is_not_asked(tmp_path: Path) -> None:
    """Asking docker would start it through its socket, and podman would make its database."""
    host = recorded("debian_sites", tmp_path)
    assert read(host, processes.read(host), lambda _: None) == ()
    assert host.asked == []


def test_a_runtime_that_gives_no_answer_is_told(tmp_path: Path) -> None:
    """What could not be listed is a sentence, not an error."""
    host = RecordedHost(Recording({}, processes=(Running(9, "conmon", ("/usr/bin/conmon",)),)), tmp_path)
    notes: list[str] = []
    assert read(host, processes.read(host), notes.append) == ()
    assert notes == ["The containers of podman could not be listed."]
