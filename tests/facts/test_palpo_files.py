from __future__ import annotations

from pathlib import Path

from palpo_installer import processes
from palpo_installer.facts import palpo_files
from palpo_installer.facts.palpo_files import mounted, named, of_unit
from palpo_installer.facts.units import Unit
from palpo_installer.host import Host
from tests.recorded import RecordedHost, Recording, Running


def unit(start: str, environment: str = "", directory: str = "") -> Unit:
    """Return a unit that starts something."""
    return Unit("palpo.service", start, "palpo", "", directory, environment)


def test_palpo_looks_at_option_variable_and_directory_in_this_order() -> None:
    """Every form of the option counts, the variable's name in any case; relative paths have a directory."""
    environment = {"Palpo_Config": "conf/b.toml", "PATH": "/bin"}
    expected = [Path("/srv/a.toml"), Path("/var/lib/palpo/conf/b.toml"), Path("/var/lib/palpo/palpo.toml")]
    for words in (
        ("palpo", "--config", "/srv/a.toml"),
        ("palpo", "-c", "/srv/a.toml"),
        ("palpo", "--config=/srv/a.toml"),
    ):
        assert list(named(words, environment, "/var/lib/palpo")) == expected
    assert list(named(("palpo", "-c"), {}, "")) == []


def test_a_unit_tells_where_its_palpo_looks() -> None:
    """The variable may be quoted in several ways; what cannot be known from the file is left out."""
    assert of_unit(unit("/usr/bin/palpo -c /srv/a.toml")) == (Path("/srv/a.toml"),)
    for assignment in ('"PALPO_CONFIG=/srv/b.toml"', "PALPO_CONFIG=/srv/b.toml", "X=1 'PALPO_CONFIG=/srv/b.toml'"):
        found = of_unit(unit("/usr/bin/palpo", assignment, "/var/lib/palpo"))
        assert found == (Path("/srv/b.toml"), Path("/var/lib/palpo/palpo.toml"))
    assert of_unit(unit("/usr/bin/palpo -c relative.toml")) == ()
    assert of_unit(unit("/usr/bin/palpo", directory="%h/palpo")) == ()


def test_a_units_container_options_are_not_taken_for_paths_of_the_host() -> None:
    """In `docker run … palpo --config X`, X is a path in the container."""
    assert of_unit(unit("/usr/bin/docker run ghcr.io/palpo-im/palpo --config /var/palpo/palpo.toml")) == ()
    assert of_unit(unit("")) == ()


def test_mounts_lead_from_the_container_to_the_host() -> None:
    """The deepest mount wins; a path under no mount has no file on the host."""
    mounts = "/srv/all\t/var/palpo\n/srv/one.toml\t/var/palpo/palpo.toml\nvolume-without-path\n"
    inside = (Path("/var/palpo/palpo.toml"), Path("/var/palpo/other.toml"), Path("/etc/palpo/palpo.toml"))
    assert mounted(mounts, inside) == (Path("/srv/one.toml"), Path("/srv/all/other.toml"))


def test_the_file_in_use_comes_before_the_usual_ones(tmp_path: Path) -> None:
    """A running Palpo's own option leads; each file is there once, missing ones not at all."""
    files = {
        "/etc/palpo/palpo.toml": ('server_name = "usual.example"',),
        "/srv/p.toml": ('server_name = "used.example"',),
    }
    running = Running(
        5, "palpo", ("/usr/bin/palpo", "-c", str(tmp_path / "srv/p.toml")), directory=str(tmp_path / "etc/palpo")
    )
    host = RecordedHost(Recording(files, processes=(running,)), tmp_path)
    (process,) = processes.read(host)
    found = palpo_files.read(host, process, (), None)
    assert [each.server_name for each in found] == ["used.example", "usual.example"]


def test_a_hidden_process_leaves_its_command_line(tmp_path: Path) -> None:
    """Without root the working directory and the environment are out of sight, the options are not."""
    files = {"/srv/p.toml": ('server_name = "used.example"',)}
    running = Running(5, "palpo", ("palpo", "-c", str(tmp_path / "srv/p.toml")), hidden=True)
    host = RecordedHost(Recording(files, processes=(running,)), tmp_path)
    (process,) = processes.read(host)
    assert [each.server_name for each in palpo_files.read(host, process, (), None)] == ["used.example"]


def test_a_file_that_cannot_be_read_is_there_with_its_problem(tmp_path: Path) -> None:
    """A directory in its place is no missing file."""
    (tmp_path / "etc/palpo/palpo.toml").mkdir(parents=True)
    (found,) = palpo_files.read(RecordedHost(Recording({}), tmp_path), None, (), None)
    assert (found.sha256, found.problem) == ("", "cannot be read: Is a directory")


def test_a_unit_counts_only_on_the_host_itself(tmp_path: Path) -> None:
    """Below another root, paths in units are about another machine."""
    used = tmp_path / "used.toml"
    used.write_text('server_name = "used.example"\n')
    started = (unit(f"/usr/bin/palpo -c {used}"),)
    assert palpo_files.read(RecordedHost(Recording({}), tmp_path), None, started, None) == ()
    assert used in [each.path for each in palpo_files.read(Host(), None, started, None)]
