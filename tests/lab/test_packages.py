"""Installing a proxy with the real apt on a host without one, and purging exactly what came."""

from __future__ import annotations

import json
import signal

import pytest

from tests.lab import names, repository, ways
from tests.lab.booted import BootedHost, installed
from tests.lab.hosts import LabHost, ThrowAwayHost
from tests.lab.running import require_root, until

LEDGER = "/var/lib/palpo-installer/packages.json"
POLICY = "/usr/sbin/policy-rc.d"
PURGED = ("/etc/nginx", "/var/lib/nginx", "/var/log/nginx", "/usr/sbin/nginx", "/etc/init.d/nginx")


@pytest.fixture
def bare(bare: ThrowAwayHost) -> ThrowAwayHost:
    """The host without any proxy, with answers."""
    ways.prepare(bare, None, "well-known")
    return bare


def packages(host: LabHost) -> frozenset[str]:
    """Return every package that dpkg knows, with its state."""
    form = "--showformat=${Package} ${Version} ${db:Status-Status}\n"
    return frozenset(host.output(["dpkg-query", "--show", form]).splitlines())


def test_a_proxy_is_installed_used_and_purged_again(bare: ThrowAwayHost) -> None:
    """Without consent nothing comes; with it nginx comes, is not started, serves by the plan, and is purged alone."""
    before = packages(bare)
    refused = bare.tool("apply", "--answers", ways.ANSWERS, "--yes")
    assert refused.returncode == 1
    assert "palpo-installer apply --install-proxy nginx" in refused.stderr
    assert packages(bare) == before

    done = bare.tool("apply", "--answers", ways.ANSWERS, "--yes", "--install-proxy", "nginx", timeout=180)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "apt-get update" in done.stdout
    assert "Installed: nginx, nginx-common" in done.stdout
    assert "Start nginx" in done.stdout, "the package had started it"
    assert not bare.exists(POLICY)
    came = {line.split()[0] for line in packages(bare) - before}
    assert came == {"nginx", "nginx-common"}
    assert set(json.loads(bare.read(LEDGER))["installations"][0]["added"]) == came

    assert bare.tool("rollback", "--yes").returncode == 0
    assert {line.split()[0] for line in packages(bare) - before} == came, "a rollback removed packages"
    assert bare.tool("apply", "--answers", ways.ANSWERS, "--yes").returncode == 0
    kept = bare.tool("uninstall", "--yes")
    assert kept.returncode == 0
    assert "uninstall --purge-packages" in kept.stdout
    assert packages(bare) != before
    purged = bare.tool("uninstall", "--yes", "--purge-packages")
    assert purged.returncode == 0, purged.stdout + purged.stderr
    assert packages(bare) == before
    assert not any(map(bare.exists, (*PURGED, LEDGER, POLICY)))


@pytest.mark.slow
def test_caddy_is_installed_used_and_purged_again(bare: ThrowAwayHost) -> None:
    """The same with Caddy, whose own first site goes on answering where nobody asks for a name."""
    install = ("apply", "--answers", ways.ANSWERS, "--yes", "--set", "proxy.kind=caddy", "--install-proxy", "caddy")
    before = packages(bare)
    done = bare.tool(*install, timeout=180)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Installed: caddy" in done.stdout
    assert "Start Caddy" in done.stdout, "the package had started it"
    came = {line.split()[0] for line in packages(bare) - before}
    assert "caddy" in came
    assert "m.server" in ways.fetch(bare, "https://example.com/.well-known/matrix/server", "--insecure")
    assert bare.tool("rollback", "--yes").returncode == 0
    assert {line.split()[0] for line in packages(bare) - before} == came, "a rollback removed packages"
    assert bare.tool("apply", "--answers", ways.ANSWERS, "--yes", "--set", "proxy.kind=caddy").returncode == 0
    purged = bare.tool("uninstall", "--yes", "--purge-packages")
    assert purged.returncode == 0, purged.stdout + purged.stderr
    assert packages(bare) == before
    assert not bare.processes("/etc/caddy/Caddyfile --adapter caddyfile")
    assert not any(map(bare.exists, ("/etc/caddy", "/usr/bin/caddy", LEDGER, POLICY)))


@pytest.mark.slow
def test_what_others_came_to_need_stays(bare: ThrowAwayHost) -> None:
    """A package that another one depends on, and one with a site of somebody's, stay and are named."""
    install = ("apply", "--answers", ways.ANSWERS, "--yes", "--install-proxy", "nginx")
    assert bare.tool(*install, timeout=180).returncode == 0
    bare.write("/tmp/needy/DEBIAN/control", NEEDY)
    bare.output(["dpkg-deb", "--build", "/tmp/needy", "/tmp/needy.deb"])
    bare.output(["dpkg", "--install", "/tmp/needy.deb"])
    needed = bare.tool("uninstall", "--yes", "--purge-packages")
    assert needed.returncode == 0, needed.stdout + needed.stderr
    assert "nginx stays: needy needs it" in needed.stdout
    assert "nginx-common stays: nginx needs it" in needed.stdout
    bare.output(["dpkg", "--purge", "needy"])
    bare.write("/etc/nginx/conf.d/mine.conf", "server { listen 8081; }\n")
    used = bare.tool("uninstall", "--yes", "--purge-packages")
    assert "nginx stays: /etc/nginx/conf.d/mine.conf is not as it came" in used.stdout
    bare.output(["rm", "/etc/nginx/conf.d/mine.conf"])
    assert "Removed: nginx, nginx-common" in bare.tool("uninstall", "--yes", "--purge-packages").stdout
    assert not any(map(bare.exists, (*PURGED, LEDGER)))


NEEDY = """\
Package: needy
Version: 1
Architecture: all
Maintainer: Somebody <somebody@example.org>
Depends: nginx
Description: needs nginx
"""


def test_what_goes_wrong_is_said_plainly(bare: ThrowAwayHost) -> None:
    """A source that is gone, a lock held by another program, and a full disk: named, and nothing half is left."""
    install = ("apply", "--answers", ways.ANSWERS, "--yes", "--install-proxy", "nginx")
    before = packages(bare)
    bare.output(["mv", repository.PLACE, "/srv/gone"])
    gone = bare.tool(*install, timeout=180)
    assert gone.returncode == 1
    assert "no source of apt has it" in gone.stderr
    assert "Nothing was changed" in gone.stderr
    bare.output(["mv", "/srv/gone", repository.PLACE])

    lock = bare.start([bare.python, "-c", HOLD_LOCK])
    until(lambda: "held" in lock.said(), "the lock")
    waiting = bare.start([*bare.command, *install])
    until(lambda: "holds the lock on the packages; waiting" in waiting.said(), "the wait")
    waiting.signal(signal.SIGINT)
    assert waiting.wait(60).returncode != 0
    lock.stop()
    assert packages(bare) == before
    assert not bare.exists(POLICY)

    bare.output(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", "/usr/share/doc"])
    full = bare.tool(*install, timeout=180)
    assert full.returncode == 1
    assert "the disk is full" in full.stderr, full.stdout + full.stderr
    assert not bare.exists(POLICY)
    bare.output(["umount", "/usr/share/doc"])
    assert "dpkg --configure -a" in full.stderr
    bare.output(["dpkg", "--configure", "-a"])
    bare.tool("uninstall", "--yes", "--purge-packages")
    assert packages(bare) == before


HOLD_LOCK = """
import fcntl, time
file = open("/var/lib/dpkg/lock-frontend", "w")
fcntl.lockf(file, fcntl.LOCK_EX)
print("held", flush=True)
time.sleep(600)
"""


@pytest.mark.slow
def test_a_killed_installation_is_recorded_by_the_next_start(bare: ThrowAwayHost) -> None:
    """SIGKILL in the middle of apt: the policy still holds for apt, and the next start knows what came."""
    before = packages(bare)
    installing = bare.start([*bare.command, "apply", "--answers", ways.ANSWERS, "--yes", "--install-proxy", "nginx"])
    until(lambda: "Unpacking nginx" in installing.said(), "apt at work", 120)
    bare.process("--install-proxy nginx").kill()
    until(lambda: "nginx-common" in " ".join(packages(bare)), "the packages")
    until(lambda: not bare.processes("install --no-remove nginx"), "the end of apt")
    assert not bare.run(["pgrep", "-x", "nginx"]).stdout, "the package started nginx"
    purged = bare.tool("uninstall", "--yes", "--purge-packages")
    assert "Removed: nginx, nginx-common" in purged.stdout, purged.stdout + purged.stderr
    assert packages(bare) == before
    assert not bare.exists(POLICY)


@pytest.mark.slow
def test_under_systemd_the_plan_starts_what_the_package_does_not() -> None:
    """Debian's own way to start units asks the policy too; purged, the unit is unknown again."""
    require_root()
    host = BootedHost(installed(), options=[f"--bind-ro={repository.repository()}"])
    try:
        repository.strip(host)
        names.serve(host.outside)
        ways.prepare(host, None, "well-known")
        before = packages(host)
        done = host.tool("apply", "--answers", ways.ANSWERS, "--yes", "--install-proxy", "nginx", timeout=180)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "Start nginx" in done.stdout, "the package had started it"
        assert host.run(["systemctl", "is-active", "nginx"]).stdout.strip() == "active"
        purged = host.tool("uninstall", "--yes", "--purge-packages")
        assert "Removed: nginx, nginx-common" in purged.stdout, purged.stdout + purged.stderr
        assert packages(host) == before
        assert host.run(["systemctl", "cat", "nginx"]).returncode != 0
        assert not host.exists(POLICY)
    finally:
        host.stop()
