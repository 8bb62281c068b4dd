"""A host without any proxy, whose apt installs from a repository of its own, so that no test needs a network."""

from __future__ import annotations

import gzip
import hashlib
import subprocess
from pathlib import Path

from tests.lab import trees
from tests.lab.hosts import LabHost

WANTED = ("nginx", "nginx-common", "caddy")
PROXIES = ("nginx", "nginx-common", "apache2", "apache2-bin", "apache2-data", "caddy", "haproxy")
PLACE = "/srv/repository"


def repository() -> Path:
    """Return a directory with Debian's packages of the proxies, and its index (apt's own form, ``Packages.gz``)."""
    policy = subprocess.run(["apt-cache", "policy", *WANTED], check=True, capture_output=True, text=True).stdout
    candidates = [line for line in policy.splitlines() if "Candidate:" in line]
    return trees.kept("repository", repr((WANTED, candidates)), _fill)


def _fill(directory: Path) -> None:
    # The packages' own downloads run as another account, which must be let in.
    directory.chmod(0o755)
    subprocess.run(
        ["apt-get", "--quiet", "--option=APT::Sandbox::User=root", "download", *WANTED],
        check=True,
        capture_output=True,
        cwd=directory,
    )
    entries = []
    for path in sorted(directory.glob("*.deb")):
        control = subprocess.run(["dpkg-deb", "--field", path], check=True, capture_output=True, text=True).stdout
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        entries.append(f"{control}Filename: ./{path.name}\nSize: {path.stat().st_size}\nSHA256: {digest}\n")
    (directory / "Packages.gz").write_bytes(gzip.compress("\n".join(entries).encode()))


def strip(host: LabHost) -> None:
    """Remove every proxy from a host, and let its apt know the repository alone, whose index it has not read yet."""
    known = host.output(["dpkg-query", "--show", "--showformat=${Package} ${db:Status-Status}\n"]).splitlines()
    there = [line.split()[0] for line in known if line.split()[1] != "not-installed"]
    going = [name for name in there if name in PROXIES or name.startswith("libnginx-mod")]
    host.output(["dpkg", "--purge", "--force-depends", *going], timeout=120)
    # Containers often have one that starts nothing; a host does not.
    host.output(["rm", "-f", "/usr/sbin/policy-rc.d"])
    host.output(["sh", "-c", "rm -rf /etc/apt/sources.list /etc/apt/sources.list.d/* /var/lib/apt/lists/*"])
    host.output(["sh", "-c", f"rm -rf {PLACE} && mkdir -p {PLACE}"])
    host.output(["cp", "--recursive", f"{repository()}/.", PLACE])
    host.write("/etc/apt/sources.list", f"deb [trusted=yes] file:{PLACE} ./\n")
