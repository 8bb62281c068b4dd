"""The lab itself: what happens on a host stays there, and its programs are the real ones."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.lab import names, services
from tests.lab.booted import UNITS, WHEELS, BootedHost, install
from tests.lab.hosts import ADDRESS4, CHECKOUT, ThrowAwayHost
from tests.lab.running import ENVIRONMENT, require_root, until
from tests.lab.snapshots import differences

CERTBOT = f"{sys.prefix}/bin/certbot"
WEBROOT = "/var/www/challenges"
CHALLENGE_SITE = f"""\
server {{
    listen 80;
    listen [::]:80;
    server_name example.com matrix.example.com;
    location /.well-known/acme-challenge/ {{ root {WEBROOT}; }}
    location / {{ return 204; }}
}}
"""
TLS_SITE = """\
server {
    listen 443 ssl;
    listen [::]:443 ssl;
    server_name example.com matrix.example.com;
    ssl_certificate /etc/letsencrypt/live/palpo/fullchain.pem;
    ssl_certificate_key /etc/letsencrypt/live/palpo/privkey.pem;
    return 200 "ours\\n";
}
"""


def order(host: ThrowAwayHost, acme: services.Authority) -> subprocess.CompletedProcess[str]:
    """Order a certificate for both names over the webroot with a plain certbot."""
    host.output(["mkdir", "-p", WEBROOT])
    how = ["certonly", "--webroot", "-w", WEBROOT, "--server", acme.directory, "--cert-name", "palpo"]
    consent = ["--non-interactive", "--agree-tos", "--register-unsafely-without-email"]
    wanted = ["-d", "example.com", "-d", "matrix.example.com"]
    return host.run([CERTBOT, *how, *consent, *wanted], environment={"REQUESTS_CA_BUNDLE": acme.ca_file})


def test_a_throw_away_host_changes_nothing_outside(host: ThrowAwayHost) -> None:
    """Files written, removed and replaced on the host, and its sockets, are not this machine's."""
    before = Path("/etc/passwd").read_bytes()
    host.write("/etc/palpo-lab-was-here", "x")
    host.output(["sh", "-c", "rm /etc/passwd; echo x >/var/lib/palpo-lab; echo x >/tmp/palpo-lab; hostname changed"])
    assert host.exists("/var/lib/palpo-lab")
    assert not host.exists("/etc/passwd")
    outside = ("/etc/palpo-lab-was-here", "/var/lib/palpo-lab", "/tmp/palpo-lab")
    assert not [path for path in outside if Path(path).exists()]
    assert Path("/etc/passwd").read_bytes() == before
    assert os.uname().nodename != "changed"


def test_a_throw_away_host_reaches_nothing_else(host: ThrowAwayHost) -> None:
    """It has a loopback device only, with the addresses its names lead to, and no way out."""
    links = host.output(["ip", "-brief", "link"]).splitlines()
    assert [line.split()[0] for line in links] == ["lo"]
    assert host.output(["ip", "route", "get", ADDRESS4]).startswith(f"local {ADDRESS4}")
    assert "unreachable" in host.run(["ip", "route", "get", "192.0.2.1"]).stderr


def test_checkout_and_environment_are_seen_read_only(host: ThrowAwayHost) -> None:
    """The tool runs from this checkout, and nothing on the host can change the checkout."""
    where = host.output([sys.executable, "-c", "import palpo_installer; print(palpo_installer.__file__)"])
    assert Path(where.strip()).resolve() == CHECKOUT / "installer/__init__.py"
    for directory in (CHECKOUT, Path(sys.prefix)):
        assert "Read-only file system" in host.run(["touch", f"{directory}/x"]).stderr


def test_names_are_answered_and_others_do_not_exist(host: ThrowAwayHost) -> None:
    """Programs on the host find the addresses of both families; SRV records are there; other names are not."""
    found = host.output(["getent", "ahosts", "matrix.example.com"])
    assert {line.split()[0] for line in found.splitlines()} == set(names.HERE)
    query = "import dns.resolver as d; print(*d.resolve('_matrix-fed._tcp.example.com', 'SRV'))"
    assert host.output([sys.executable, "-c", query]).split()[2:] == ["8448", "matrix.example.com."]
    assert host.run(["getent", "ahosts", "www.example.com"]).returncode == 2


def test_names_can_change(host: ThrowAwayHost) -> None:
    """Serving other records in place of the first ones changes what the host is told."""
    (server,) = [process for process in host.processes("") if process.name() == "dnsmasq"]
    server.kill()
    until(lambda: not host.listening("udp"), "the end of the first dnsmasq")
    names.serve(host, names.Records(hosts={"example.com": ("192.0.2.7",)}, services=()))
    assert host.output(["getent", "hosts", "example.com"]).split()[0] == "192.0.2.7"
    assert host.run(["getent", "hosts", "matrix.example.com"]).returncode == 2


def test_two_hosts_do_not_meet(nginx: ThrowAwayHost) -> None:
    """A second host has the ports of its own, free, and does not see the first one's processes."""
    other = ThrowAwayHost()
    try:
        assert not other.listening()
        assert other.run(["pgrep", "nginx"]).returncode == 1
    finally:
        other.stop()
    assert nginx.listening() >= {("0.0.0.0", 80), ("::", 80), ("0.0.0.0", 443), ("::", 443)}


def test_a_snapshot_sees_every_kind_of_change(host: ThrowAwayHost) -> None:
    """Bytes, mode, owner, attributes, a link's target, a new and a missing path each make a difference."""
    host.output(["sh", "-c", "mkdir /etc/a && cd /etc/a && touch bytes mode owner attribute gone same && ln -s x link"])
    attribute = "import os; os.setxattr('/etc/a/attribute', 'trusted.x', b'%d')"
    host.output([sys.executable, "-c", attribute % 1])
    before = host.snapshot(["/etc"])
    assert not differences(before, host.snapshot(["/etc"]))
    host.output(["sh", "-c", "cd /etc/a && echo x >bytes && chmod 600 mode && chown 1 owner && rm gone && touch new"])
    host.output(["sh", "-c", "cd /etc/a && ln -sfn y link && touch same"])
    host.output([sys.executable, "-c", attribute % 2])
    changed = {path.rpartition("/")[2] for path in differences(before, host.snapshot(["/etc"]))}
    assert changed == {"bytes", "mode", "owner", "attribute", "link", "gone", "new"}
    assert not differences(before, host.snapshot(["/etc"], without=["/etc/a"])).keys() - before.keys()


def test_a_program_that_does_not_end_is_ended(host: ThrowAwayHost) -> None:
    """A command beyond its time fails the test and leaves no process on the host."""
    with pytest.raises(pytest.fail.Exception, match="did not end"):
        host.run(["sh", "-c", "sleep 1000 & sleep 1000"], timeout=0.2)
    until(lambda: host.run(["pgrep", "sleep"]).returncode == 1, "the end of the sleeping programs")


def test_a_started_program_can_be_killed_itself(host: ThrowAwayHost) -> None:
    """A signal reaches the program on the host, not only the door it was started through."""
    running = host.start(["sleep", "1000"])
    assert psutil.Process(running.pid).cmdline() == ["sleep", "1000"]
    running.signal(signal.SIGKILL)
    assert running.wait().returncode == -signal.SIGKILL
    assert host.run(["pgrep", "sleep"]).returncode == 1


def test_a_process_is_found_while_it_is_about_to_start_another_program(host: ThrowAwayHost) -> None:
    """Between fork and exec a child has its parent's command line, and is not meant."""
    forking = "import os, time; os.fork() and print('forked', flush=True); time.sleep(600)  # forking"
    running = host.start([host.python, "-c", forking])
    until(lambda: "forked" in running.said(), "the child")
    assert len(host.processes("# forking")) == 2
    assert host.process("# forking").pid == running.pid


def test_a_host_ends_with_the_test_run(tmp_path: Path) -> None:
    """Where the test process is killed the kernel ends the host with all its programs."""
    require_root()
    script = (
        "from tests.lab.hosts import ThrowAwayHost\n"
        "host = ThrowAwayHost(); started = host.start(['sleep', '1000'])\n"
        "print(started.pid, flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=CHECKOUT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=ENVIRONMENT | {"TMPDIR": str(tmp_path)},
    ) as run:
        assert run.stdout is not None
        inside = psutil.Process(int(run.stdout.readline()))
        run.kill()
    until(lambda: has_ended(inside), "the end of the host")


def has_ended(process: psutil.Process) -> bool:
    """Return whether a process is gone, or only waits to be counted."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_nginx_serves_the_neighbour_and_certbot_gets_a_certificate(
    nginx: ThrowAwayHost, acme: services.Authority
) -> None:
    """Pebble asks nginx for the challenge, and its certificate proves us to a client that trusts its root."""
    nginx.write("/etc/nginx/sites-enabled/matrix", CHALLENGE_SITE)
    services.reload_nginx(nginx)
    until(lambda: "204" in nginx.run(["curl", "-sI", "http://example.com/"]).stdout, "our site on port 80")
    ordered = order(nginx, acme)
    assert ordered.returncode == 0, ordered.stderr
    nginx.write("/etc/nginx/sites-enabled/matrix-tls", TLS_SITE)
    services.reload_nginx(nginx)
    nginx.write("/etc/root.pem", acme.root())
    trusted = ["curl", "--silent", "--cacert", "/etc/root.pem", "https://matrix.example.com/"]
    until(lambda: nginx.run(trusted).stdout == "ours\n", "our site with the new certificate")
    neighbour = ["curl", "-s", "--cacert", services.NEIGHBOUR_CERTIFICATE, f"https://{services.NEIGHBOUR}/"]
    assert nginx.output(neighbour) == "the neighbour, over TLS\n"


def test_pebble_refuses_a_name_that_is_not_served(nginx: ThrowAwayHost, acme: services.Authority) -> None:
    """Without the challenge behind the name there is no certificate: the authority really asks."""
    refused = order(nginx, acme)
    assert refused.returncode == 1
    assert "unauthorized" in refused.stdout + refused.stderr
    assert not nginx.exists("/etc/letsencrypt/live/palpo")


@pytest.mark.booted
def test_a_booted_host_runs_nginx_under_systemd(booted: BootedHost) -> None:
    """Systemd reloads nginx with a new site, and after a reboot everything is up again with what was written."""
    booted.write("/etc/nginx/sites-enabled/matrix", 'server { listen 8080; return 200 "ours\\n"; }\n')
    booted.output(["systemctl", "reload", "nginx"])
    booted.until_listening(8080)
    first = booted.output(["systemctl", "show", "--property=MainPID,ActiveState", "nginx"])
    assert "ActiveState=active" in first
    for again in (booted.reboot, booted.power_cut):
        again()
        booted.until_listening(8080)
        assert booted.output(["curl", "--silent", "http://example.com:8080/"]) == "ours\n"


@pytest.mark.booted
def test_two_booted_hosts_do_not_end_each_other(booted: BootedHost) -> None:
    """Stopping a service on one leaves the same service on another alone: each has control groups of its own."""
    other = BootedHost()
    try:
        other.output(["systemctl", "stop", "nginx"])
        assert booted.output(["systemctl", "is-active", "nginx"]) == "active\n"
        assert booted.listening() >= {("0.0.0.0", 443)}
    finally:
        other.stop()


@pytest.mark.booted
def test_a_booted_host_gets_a_certificate(booted: BootedHost, booted_acme: services.Authority) -> None:
    """The authority beside a booted host asks its nginx, and certbot from the installed tool trusts it."""
    booted.write("/etc/nginx/sites-enabled/matrix", CHALLENGE_SITE)
    booted.output(["mkdir", "-p", WEBROOT])
    booted.output(["systemctl", "restart", "nginx"])
    how = ["certonly", "--webroot", "-w", WEBROOT, "--server", booted_acme.directory, "-d", "example.com"]
    consent = ["--non-interactive", "--agree-tos", "--register-unsafely-without-email"]
    certbot = ["/opt/palpo-installer/current/bin/certbot", *how, *consent]
    ordered = booted.run(certbot, environment={"REQUESTS_CA_BUNDLE": booted_acme.ca_file})
    assert ordered.returncode == 0, ordered.stderr
    assert booted.exists("/etc/letsencrypt/live/example.com/fullchain.pem")


@pytest.mark.booted
def test_install_script_on_a_booted_host() -> None:
    """From a read-only checkout and without a network the script brings a command that root's PATH finds."""
    require_root()
    host = BootedHost()
    try:
        before = host.snapshot(without=["/var/lib/systemd"])
        installed = install(host, "--no-run")
        assert installed.returncode == 0, installed.stderr
        assert "Usage:" in host.output(["palpo-installer", "--help"])
        assert host.read("/opt/palpo-installer/current/install.log").count(WHEELS)
        changed = differences(before, host.snapshot(without=["/var/lib/systemd"]))
        assert {path.rpartition("/")[2] for path in changed} - {"basic.target.wants"} == set(UNITS)
        uninstall = ["sh", f"{CHECKOUT}/install.sh", "--uninstall"]
        host.write("/etc/systemd/system/palpo-installer-renew.timer", "")
        refused = host.run(uninstall)
        assert (refused.returncode, "still renews certificates" in refused.stderr) == (1, True)
        host.output(["palpo-installer", "--help"])
        host.output(["rm", "/etc/systemd/system/palpo-installer-renew.timer"])
        host.write("/etc/palpo-installer/answers.toml", "")
        removed = host.run(uninstall)
        assert (removed.returncode, "Left as it is: /etc/palpo-installer" in removed.stderr) == (0, True)
        assert host.exists("/etc/palpo-installer/answers.toml")
        left = differences(before, host.snapshot(without=["/var/lib/systemd"]))
        assert all(path.startswith("/etc/palpo-installer") for path in left)
        assert not host.exists("/opt/palpo-installer")
        assert not host.exists("/usr/local/bin/palpo-installer")
    finally:
        host.stop()
