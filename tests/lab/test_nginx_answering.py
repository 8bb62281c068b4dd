"""Who answers for a name: what the real nginx does, and what we say of its files."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from palpo_installer.facts import Facts
from palpo_installer.proxies.found import ServerBlock
from palpo_installer.proxies.nginx.answering import answering
from palpo_installer.serialization import load
from tests.lab.hosts import ADDRESS4, ADDRESS6, ThrowAwayHost
from tests.lab.running import require_programs
from tests.lab.test_facts_on_real_nginx import GATHER

MAIN = "/srv/answering/nginx.conf"
FIRST = 20_000
SCENARIOS = 25
REACHED = {"0.0.0.0": "127.0.0.9", "::": ADDRESS6}
"""An address at which a wildcard socket is asked: one that has no socket of its own."""

WRITTEN = ["example.org", "EXAMPLE.org", "www.example.org", "*.example.org", ".example.org", "a.b.example.org", "*.org"]
WRITTEN += [".org", "example.*", "www.example.*", "*.b.example.org", "_", '""', "$hostname", "other.net"]
WRITTEN += [
    "~^www",
    "~^(?<name>[a-z]+)\\.example\\.org$",
    "~EXAMPLE",
    "~^example\\.(org|net)$",
    '"~^[a-z]{3}\\."',
    "~.",
]
WRITTEN += [".b.example.org"]
ASKED = ["example.org", "www.example.org", "a.b.example.org", "b.example.org", "x.y.example.org", "example.net"]
ASKED += ["www.example.net", "other.net", "nobody.invalid", "EXAMPLE.ORG", "example.org.", "org", "_"]

ASK = """
import http.client, json, sys
answers = []
for address, port, name in json.load(sys.stdin):
    connection = http.client.HTTPConnection(address, port, timeout=10)
    connection.request("GET", "/", headers={"Host": name})
    answers.append(connection.getresponse().getheader("Answered-By"))
    connection.close()
print(json.dumps(answers))
"""


def block(choice: random.Random, port: int, number: int, taken: set[str], folder: str) -> tuple[str, str]:
    """Return a server block that says its own number, and the text of a file that it includes."""
    addresses = choice.sample(["", "127.0.0.1:", "[::]:", "[::1]:", f"{ADDRESS4}:"], choice.randint(1, 3))
    listens = []
    for address in addresses:
        default = address not in taken and choice.random() < 0.25
        if default:
            taken.add(address)
        listens.append(f"listen {address}{port}{' default_server' if default else ''};")
    names = choice.sample(WRITTEN, choice.randint(0, 3))
    said = f"server_name {' '.join(names)};" if names else ""
    answer = f"add_header Answered-By {number} always; location / {{ return 204; }}"
    if choice.random() < 0.5:
        included = f"{folder}/{number}.inc"
        return f"server {{\n  include {included};\n  {answer}\n}}\n", f"{' '.join(listens)}\n{said}\n"
    return f"server {{\n  {' '.join(listens)}\n  {said}\n  {answer}\n}}\n", ""


def configure(host: ThrowAwayHost, seed: int) -> None:
    """Write an nginx whose ports each have server blocks of their own, spread over files."""
    choice, folder = random.Random(seed), str(Path(MAIN).parent)
    number, sites = 0, []
    for scenario in range(SCENARIOS):
        taken: set[str] = set()
        for _ in range(choice.randint(2, 6)):
            number += 1
            text, included = block(choice, FIRST + scenario, number, taken, folder)
            if included:
                host.write(f"{folder}/{number}.inc", included)
            sites.append(text)
    half = len(sites) // 2
    host.write(f"{folder}/sites/10-first.conf", "".join(sites[:half]))
    host.write(f"{folder}/sites/20-second.conf", "".join(sites[half:]))
    host.write(
        MAIN,
        f"pid /run/answering.pid;\nerror_log /run/answering.log;\nevents {{}}\nhttp {{\n  access_log off;\n"
        f"  server_names_hash_bucket_size 128;\n  include {folder}/sites/*.conf;\n}}\n",
    )


def number_of(server: ServerBlock, texts: Mapping[Path, str]) -> str:
    """Return the number that a server block says."""
    text = "\n".join(texts[server.file].splitlines()[server.line - 1 :])
    return text.partition("Answered-By ")[2].partition(" ")[0]


def compared(host: ThrowAwayHost, seed: int) -> tuple[Sequence[object], Sequence[object]]:
    """Return what nginx answers and what we say, over every socket and name."""
    require_programs("nginx")
    configure(host, seed)
    host.output(["nginx", "-c", MAIN])
    host.until_listening(FIRST)
    nginx, hostname = load(host.output([host.python, "-c", GATHER]), Facts).nginx, host.output(["hostname"]).strip()
    assert nginx is not None
    assert nginx.problems == ()
    texts = {path: host.read(str(path)) for path in {server.file for server in nginx.servers}}
    expected = [
        ((REACHED.get(address, address), port, name), number_of(each.block, texts), each.doubts)
        for port in range(FIRST, FIRST + SCENARIOS)
        for name in (*ASKED, hostname)
        for each in answering(nginx.servers, name, port, hostname=hostname)
        for address, _ in each.sockets
    ]
    questions = [question for question, _, _ in expected]
    answers = json.loads(host.output([host.python, "-c", ASK], text=json.dumps(questions), timeout=120))
    return [(*pair, ()) for pair in zip(questions, answers, strict=True)], expected


SEEDS = [pytest.param(8), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(9, 17))]


@pytest.mark.parametrize("seed", SEEDS)
def test_we_say_of_every_socket_and_name_what_nginx_answers(host: ThrowAwayHost, seed: int) -> None:
    """Many ports with two to six server blocks each: names, wildcards, patterns, defaults, addresses, includes."""
    answered, expected = compared(host, seed)
    assert len(expected) > 1000
    assert answered == expected
