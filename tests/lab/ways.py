"""What the tests of the whole way share: answers, a homeserver, and what must be equal in the end."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from tests.lab.hosts import CHECKOUT, LabHost
from tests.lab.running import Running
from tests.lab.services import Authority
from tests.lab.snapshots import Snapshot, differences

ANSWERS = "/root/answers.toml"
DATABASE_PASSWORD = "correct-horse-battery-staple"
ROOT = "/run/pebble/root.pem"
KEPT = (
    "/etc/palpo-installer",
    "/var/lib/palpo-installer",
    "/var/log",
    "/var/lib/nginx",
    "/var/lib/systemd",
)
"""What taking back leaves: account, certificates, signing key, ledger and history; and what others write."""


def answers(authority: Authority | None, delegation: str, base_domain: str = "ours", **more: str) -> str:
    """Return a file of answers; ``more`` are further lines of a section, by its name."""
    ordered = (
        f'method = "http-01"\nemail = "admin@example.com"\nagree_terms = true\n'
        f'directory = "{authority.directory}"\nca_file = "{authority.ca_file}"'
        if authority
        else 'method = "self-signed"'
    )
    further = "".join(f"[{name}]\n{more[name]}\n" for name in ("proxy", "media", "well_known") if name in more)
    return f"""\
version = 1
[names]
server_name = "example.com"
client_host = "matrix.example.com"
base_domain = "{base_domain}"
[federation]
delegation = "{delegation}"
{more.get("federation", "")}
[homeserver]
database_url = "postgres://palpo:{DATABASE_PASSWORD}@127.0.0.1/palpo"
{more.get("homeserver", "")}
[certificates]
{ordered}
{further}"""


def prepare(
    host: LabHost, authority: Authority | None, delegation: str, base_domain: str = "ours", **more: str
) -> None:
    """Put the answers, and the authority's root for ``verify --trust``, on a host."""
    host.write(ANSWERS, answers(authority, delegation, base_domain, **more), 0o600)
    if authority:
        host.write(ROOT, authority.root())


def start_palpo(host: LabHost, *arguments: str) -> Running:
    """Start the stand-in homeserver with the palpo.toml that apply wrote."""
    script = str(CHECKOUT / "tests/lab/palpo.py")
    running = host.start([host.python, script, "--config", "/etc/palpo/palpo.toml", *arguments])
    host.until_listening(8008)
    return running


def done(host: LabHost, *command: str) -> str:
    """Run a command of the installer that must succeed; return what it said."""
    ended = host.tool(*command, timeout=240)
    assert ended.returncode == 0, f"{command} ended with {ended.returncode}: {ended.stdout}{ended.stderr}"
    return ended.stdout


def let_certificates_be_due(host: LabHost, *names: str) -> None:
    """Let certbot take the certificates for these names for ones that are to be renewed now."""
    for name in names:
        settings = f"/etc/palpo-installer/acme/renewal/palpo-{name}.conf"
        host.output(["sed", "-i", "1i renew_before_expiry = 1 year", settings])


def untouched(before: Snapshot, host: LabHost) -> dict[str, object]:
    """Return the paths that are not as before, without those that taking back leaves."""
    changed = differences(before, host.snapshot())
    return {path: pair for path, pair in changed.items() if not path.startswith(KEPT)}


def served(host: LabHost, address: str, port: int, name: str) -> str:
    """Return the fingerprint of the certificate that a socket shows for a name."""
    joined = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
    script = f"openssl s_client -connect {joined} -servername {name} </dev/null 2>/dev/null | {FINGERPRINT}"
    return host.output(["sh", "-c", script]).strip()


def on_disk(host: LabHost, name: str) -> str:
    """Return the fingerprint of the certificate that was ordered for a name."""
    path = f"/etc/palpo-installer/acme/live/palpo-{name}/fullchain.pem"
    return host.output(["sh", "-c", f"{FINGERPRINT} <{path}"]).strip()


FINGERPRINT = "openssl x509 -noout -fingerprint -sha256"


def fetch(host: LabHost, url: str, *options: str) -> str:
    """Return what curl gets, headers first."""
    return host.output(["curl", "--silent", "--show-error", "--max-time", "10", "--include", *options, url])


def neighbour_answers(host: LabHost) -> tuple[str, ...]:
    """Return what the neighbour's site, and the request without a name, answer on both families, or how they fail."""
    asked = (
        ("http://198.18.0.10/", "--header", "Host: neighbour.example.org"),
        ("http://[fd10::10]/", "--header", "Host: neighbour.example.org"),
        ("https://neighbour.example.org/", "--insecure", "-4"),
        ("https://neighbour.example.org/", "--insecure", "-6"),
        ("http://198.18.0.10/",),
        ("https://198.18.0.10/", "--insecure"),
        ("https://[fd10::10]/", "--insecure"),
    )
    command = ("curl", "--silent", "--show-error", "--max-time", "10", "--include")
    ended = [host.run([*command, *options, url]) for url, *options in asked]
    return tuple(re.sub(r"(?im)^date:.*\r?\n", "", each.stdout + each.stderr) for each in ended)


def ledger_orders(host: LabHost) -> int:
    """Return how many orders the ledger knows."""
    lines = host.read("/var/lib/palpo-installer/ledger.jsonl").splitlines()
    return len({entry["id"] for entry in map(json.loads, lines) if entry["purpose"] == "order"})


def finds(host: LabHost, needle: str, paths: Sequence[str]) -> list[str]:
    """Return the files below paths that hold a text."""
    found = host.run(["grep", "--recursive", "--files-with-matches", "--fixed-strings", "--", needle, *paths])
    return found.stdout.split()
