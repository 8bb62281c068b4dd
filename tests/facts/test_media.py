from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from palpo_installer import processes
from palpo_installer.facts.containers import Container
from palpo_installer.facts.listeners import Listener
from palpo_installer.facts.media import MediaRepository, named, read
from palpo_installer.media.keys import SigningKey
from tests.media.made import SOUND, edited
from tests.recorded import RecordedHost, Recording, Running

KEY = "/etc/matrix-media-repo/signing.key"
UNIT = {
    "/etc/systemd/system/mmr.service": (
        "[Service]",
        "ExecStart=/opt/mmr/media_repo -config /srv/mmr.yaml",
        "WorkingDirectory=/opt/mmr",
    )
}


def lines(text: str) -> tuple[str, ...]:
    """Return a text as a recording has it."""
    return tuple(text.splitlines())


def look(
    recording: Recording,
    root: Path,
    listeners: tuple[Listener, ...] = (),
    containers: tuple[Container, ...] = (),
) -> MediaRepository | None:
    """Return what is found on a recorded host."""
    host = RecordedHost(recording, root)
    return read(host, processes.read(host), containers, listeners)


def test_none_is_no_media_repository(tmp_path: Path) -> None:
    """Nor is Palpo one."""
    assert look(Recording({}, processes=(Running(5, "palpo", ("/usr/bin/palpo",)),)), tmp_path) is None


def test_a_configuration_at_a_usual_place(tmp_path: Path) -> None:
    """It does not run; its key is there, in a form that it reads, or is not."""
    files = {"/etc/matrix-media-repo/media-repo.yaml": lines(SOUND)}
    found = look(Recording(files), tmp_path / "without")
    assert found is not None
    assert found.configuration is not None
    assert (found.running, found.address, found.open_to) == (False, "127.0.0.1:8000", ())
    missing = found.configuration.of("example.com")
    found = look(Recording({**files, KEY: ("ed25519 a_1 AAAA",)}), tmp_path / "with")
    assert found is not None
    assert found.configuration is not None
    present = found.configuration.of("example.com")
    assert (missing and missing.key) == SigningKey(problem="is missing")
    assert (present and present.key) == SigningKey(problem="holds no key in the form of matrix-media-repo")


def test_a_running_one_tells_its_file_and_who_reaches_it(tmp_path: Path) -> None:
    """By option or environment, relative to its directory; sockets beside loopback are named."""
    running = Running(
        7, "media_repo", ("./media_repo", "-config", "conf/mmr.yaml"), cgroup=("0::/system.slice/mmr.service",),
        directory=f"{tmp_path}/srv", account="mmr",
    )  # fmt: skip
    listening = (Listener("0.0.0.0", 8001, False, "media_repo", 7, "", ""),)
    open_wide = edited(("'127.0.0.1'", "''"), ("8000", "8001"))
    recording = Recording({"/srv/conf/mmr.yaml": lines(open_wide)}, processes=(running,))
    found = look(recording, tmp_path, listening)
    assert found is not None
    assert found.configuration is not None
    assert found.configuration.path == tmp_path / "srv/conf/mmr.yaml"
    assert (found.running, found.unit, found.account, found.address, found.open_to) == (
        True, "mmr.service", "mmr", "127.0.0.1:8001", ("0.0.0.0",),
    )  # fmt: skip


def test_a_unit_is_a_sign_also_where_its_file_is_missing(tmp_path: Path) -> None:
    """Of a host that is only a copy, units are not followed to places of this machine."""
    found = look(Recording(UNIT), tmp_path)
    assert found == MediaRepository(None, False, "mmr.service", "", "", account="root")


def test_a_container_tells_its_published_port(tmp_path: Path) -> None:
    """Its configuration is the mounted file where the runtime can be asked."""
    box = Container("f" * 64, "media", "ghcr.io/t2bot/matrix-media-repo:v1.3.7", "docker", (("0.0.0.0", 8010),))
    found = look(Recording({}), tmp_path, containers=(box,))
    assert found is not None
    assert (found.container, found.address, found.configuration) == ("media", "127.0.0.1:8010", None)
    assert look(Recording({}), tmp_path, containers=(replace(box, image="nginx", name="web"),)) is None


def test_where_it_looks() -> None:
    """The environment wins over the option, as in its main function; else its working directory."""
    words = ("media_repo", "-config=a.yaml")
    assert list(named(words, {"REPO_CONFIG": "/data/b.yaml"}, "/srv")) == [Path("/data/b.yaml")]
    assert list(named(words, {}, "/srv")) == [Path("/srv/a.yaml")]
    assert list(named(("media_repo",), {}, "/srv")) == [Path("/srv/media-repo.yaml")]
    assert list(named(("media_repo",), {}, "")) == []


def test_a_directory_is_read_file_by_file(tmp_path: Path) -> None:
    """Directories in it are passed over, hidden files are not."""
    running = Running(7, "media_repo", ("media_repo", "-config", f"{tmp_path}/srv/mmr"))
    listed = ("homeservers: [{name: example.com}]",)
    files = {"/srv/mmr/..old/a.yaml": ("[",), "/srv/mmr/.a": ("repo: {port: 8009}",), "/srv/mmr/b.yaml": listed}
    found = look(Recording(files, processes=(running,)), tmp_path)
    assert found is not None
    assert found.configuration is not None
    assert (found.configuration.path, found.configuration.problem) == (tmp_path / "srv/mmr", "")
    assert (found.address, found.configuration.of("example.com") is not None) == ("127.0.0.1:8009", True)
