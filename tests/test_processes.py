from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from palpo_installer.host import Host
from palpo_installer.processes import Place, Process, consult, of_copy, place, read
from tests.recorded import RecordedHost, Recording, Running

ID = "3f" * 32
SHORT = ID[:12]
V1 = "12:pids:{0}\n9:name=systemd:{0}\n4:memory:{0}\n"
USER_SESSION = "/user.slice/user-1000.slice/user@1000.service/app.slice"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0::/system.slice/nginx.service\n", Place("nginx.service", "")),
        ("0::/system.slice/foo.service/worker\n", Place("foo.service", "")),
        ("0::/system.slice/system-getty.slice/getty@tty1.service\n", Place("getty@tty1.service", "")),
        (V1.format("/system.slice/nginx.service"), Place("nginx.service", "")),
        ("5:devices:/user.slice\n1:name=systemd:/system.slice/a.service\n0::/\n", Place("a.service", "")),
        ("1:name=systemd:/\n0::/system.slice/b.service\n", Place("b.service", "")),
        ("0::/init.scope\n", Place("", "")),
        ("0::/user.slice/user-0.slice/session-1.scope\n", Place("", "")),
        (f"0::{USER_SESSION}/palpo.service\n", Place("", "")),
        (f"0::/system.slice/docker-{ID}.scope\n", Place("", SHORT)),
        (f"0::/docker/{ID}\n", Place("", SHORT)),
        (V1.format(f"/docker/{ID}"), Place("", SHORT)),
        (f"4:memory:/docker/{ID}\n1:name=systemd:/\n0::/\n", Place("", SHORT)),
        (f"0::/machine.slice/libpod-{ID}.scope/container\n", Place("", SHORT)),
        (f"0::/machine.slice/libpod-conmon-{ID}.scope\n", Place("", SHORT)),
        (f"0::{USER_SESSION}/user.slice/libpod-{ID}.scope\n", Place("", SHORT)),
        (f"0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-{ID}.scope\n", Place("", SHORT)),
        (f"0::/kubepods/burstable/pod1/{ID}\n", Place("", SHORT)),
        ("0::/lxc.payload.web/system.slice/nginx.service\n", Place("", "web")),
        (V1.format("/lxc/web"), Place("", "web")),
        ("0::/machine.slice/systemd-nspawn@mx.service/payload/init.scope\n", Place("", "mx")),
        ("0::/machine.slice/machine-my\\x2dhost.scope/payload\n", Place("", "my-host")),
        ("4:memory:/process_api/41c3c3d5d8311f6d53b8b2cca222d9c3\n0::/\n", Place("", "")),
        ("", Place("", "")),
        ("nonsense\n", Place("", "")),
    ],
)
def test_a_control_group_names_the_unit_or_the_container(text: str, expected: Place) -> None:
    """Every way in which systemd, docker, podman, Kubernetes, LXC and nspawn name control groups is told apart."""
    assert place(text) == expected


def test_what_shares_our_own_container_is_not_in_a_container() -> None:
    """Inside a container that shows the machine's paths, units stay units, and other containers containers."""
    ours = "0::/machine.slice/systemd-nspawn@mx.service/payload"
    here = place(ours).container
    assert place(f"{ours}/system.slice/nginx.service\n", here) == Place("nginx.service", "")
    assert place(f"{ours}/docker/{ID}\n", here) == Place("", SHORT)
    assert place("0::/machine.slice/systemd-nspawn@other.service/payload\n", here) == Place("", "other")


def test_processes_come_with_their_place_and_without_kernel_threads(tmp_path: Path) -> None:
    """A hidden program file is empty, a process without a command line is left out."""
    processes = (
        Running(20, "nginx", ("nginx: master process", "x"), cgroup=("0::/system.slice/nginx.service",), hidden=True),
        Running(3, "kthreadd", ()),
    )
    (found,) = read(RecordedHost(Recording({}, processes=processes), tmp_path))
    assert (found.pid, found.title, found.program, found.unit) == (
        20,
        "nginx: master process x",
        "",
        "nginx.service",
    )


def test_our_own_container_is_taken_from_our_own_control_group(tmp_path: Path) -> None:
    """Started inside a container that shows the machine's paths, its services are seen as units."""
    ours = f"0::/system.slice/docker-{ID}.scope"
    files = {"/proc/self/cgroup": (ours,)}
    processes = (Running(20, "nginx", ("nginx",), cgroup=(f"{ours}/system.slice/nginx.service",)),)
    (found,) = read(RecordedHost(Recording(files, processes=processes), tmp_path))
    assert (found.unit, found.container) == ("nginx.service", "")


def test_a_private_copy_has_its_own_processes_only() -> None:
    """Those started with its files and their children count, and belong to no unit; a longer name is another's."""
    root = Path("/tmp/copy")
    titles = {
        2: f"nginx: master process nginx -c {root}/etc/nginx.conf",
        3: "nginx: worker process",
        4: "nginx: master process nginx -c /etc/nginx.conf",
        5: f"python -m palpo_installer --root {root} run 0001",
        6: f"python -m palpo_installer --root {root}-2 run 0001",
    }
    parents = {3: 2}
    everything = tuple(
        Process(pid, "x", tuple(title.split()), "", 1.0, parents.get(pid, 1), "cron.service", "web")
        for pid, title in titles.items()
    )
    found = of_copy(everything, root)
    assert [each.pid for each in found] == [2, 3, 5]
    assert {(each.unit, each.container) for each in found} == {("", "")}


def test_this_machine_shows_the_process_that_asks() -> None:
    """The reading works on a real /proc."""
    (ours,) = [process for process in read(Host()) if process.pid == os.getpid()]
    assert Path(ours.program).resolve() == Path(sys.executable).resolve()
    assert ours.started > 0


def test_a_program_that_is_missing_or_slow_gives_no_answer() -> None:
    """Facts go on without a program, and do not wait for one."""
    assert consult(Host(), "palpo-installer-no-such-program") is None
    assert consult(Host(), "sleep", "30", timeout=0.05) is None
    said = consult(Host(), "uname")
    assert said is not None
    assert said.stdout == "Linux\n"
