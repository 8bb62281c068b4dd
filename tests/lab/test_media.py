"""The whole way with a media repository beside Palpo, on a throw-away host with the real proxy."""

from __future__ import annotations

import json

import pytest

from tests.lab import media_ways, ways
from tests.lab.conformance.rows import ROWS, Row
from tests.lab.hosts import ThrowAwayHost
from tests.lab.running import require_programs


@pytest.mark.parametrize(
    "row",
    [ROWS[0], *(pytest.param(row, marks=pytest.mark.slow) for row in ROWS[1:])],
    ids=[row.kind for row in ROWS],
)
def test_the_whole_way_with_a_media_repository(host: ThrowAwayHost, row: Row) -> None:
    """Named in the plan, applied, asked by the server name only, given Palpo's key, verified, and taken back."""
    require_programs(row.program)
    row.start(host)
    media_ways.start(host)
    host.write(ways.ANSWERS, media_ways.answers(row.kind), 0o600)
    before = host.snapshot()
    planned = host.tool("plan", "--answers", ways.ANSWERS)
    assert "Media are kept by the media repository at 127.0.0.1:8000" in planned.stdout
    told = [line for line in planned.stdout.splitlines() if "media repository (" in line]
    assert ["(ed25519:other) is not Palpo's" in line for line in told] == [True], planned.stdout

    applied = host.tool("apply", "--answers", ways.ANSWERS, "--yes")
    assert applied.returncode == 0, applied.stdout + applied.stderr
    ways.start_palpo(host)
    media_ways.check(host)
    verified = host.tool("verify", "--json")
    found = {
        check["subject"]: check["result"]
        for check in json.loads(verified.stdout)["checks"]
        if check["name"] == "media repository"
    }
    assert verified.returncode == 0, verified.stdout
    assert set(found.values()) == {"pass"}
    assert len(found) == 3
    (finding,) = json.loads(host.tool("audit", "--json").stdout)["findings"]
    assert (finding["rule"], "(ed25519:other) is not Palpo's" in finding["what"]) == ("media-signing-key", True)
    # Whom it runs as is not seen of a stand-in.
    commands = "\n".join(finding["lines"]).replace("ACCOUNT", "root")
    host.output(["sh", "-euc", commands])
    assert json.loads(host.tool("audit", "--json").stdout)["findings"] == []

    assert host.tool("rollback", "--yes").returncode == 0
    own = ("/run", "/etc/matrix-media-repo", *row.kept)
    left = {path for path in ways.untouched(before, host) if not path.startswith(own)}
    assert left == set()


def test_a_wrong_name_is_told_before_anything_is_done(nginx: ThrowAwayHost) -> None:
    """With the file, the line and what to write there; the password in it is nowhere."""
    host = nginx
    secret = 'database: {postgres: "postgres://media:correct-horse@localhost/media"}'
    wrong = media_ways.YAML.replace("name: example.com", "name: matrix.example.com")
    host.write(media_ways.CONFIGURATION, f"{wrong}{secret}\n")
    host.write(ways.ANSWERS, media_ways.answers("nginx"), 0o600)
    planned = host.tool("plan", "--answers", ways.ANSWERS)
    said = " ".join(planned.stdout.split())
    assert f"{media_ways.CONFIGURATION}:3" in said
    assert "does not serve example.com" in said
    assert "correct-horse" not in planned.stdout + planned.stderr
