from __future__ import annotations

from tests.lab.hosts import ThrowAwayHost

LOOK = (
    "import sys\n"
    "from pathlib import Path\n"
    "from palpo_installer.host import Host\n"
    "from palpo_installer.proxies.editability import uneditable\n"
    "print(uneditable(Host(), Path(sys.argv[1])))\n"
)


def test_what_the_kernel_refuses_is_said_before(host: ThrowAwayHost) -> None:
    """A read-only file system and a file that is mounted by itself."""
    host.write("/srv/site", "server {\n}\n")
    host.output(
        ["sh", "-c", "mkdir /srv/ro; mount -t tmpfs tmpfs /srv/ro; cp /srv/site /srv/ro; cp /srv/site /srv/own"]
    )
    host.output(["sh", "-c", "mount -o remount,ro /srv/ro; mount --bind /srv/own /srv/own"])
    said = {name: host.output([host.python, "-c", LOOK, f"/srv/{name}"]).strip() for name in ("site", "ro/site", "own")}
    assert said == {
        "site": "",
        "ro/site": "its file system is read-only",
        "own": "it is mounted there by itself (a bind mount), and cannot be replaced",
    }
