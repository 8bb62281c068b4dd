"""The whole way with a media repository beside Palpo, on a throw-away host with the real proxy."""

from __future__ import annotations

import json

import pytest

from tests.lab import media_ways, services, ways
from tests.lab.hosts import ThrowAwayHost

KINDS = ("nginx",)
"""Where the whole way works; a proxy more is a word here and in ``services``."""


@pytest.mark.parametrize("kind", KINDS)
def test_the_whole_way_with_a_media_repository(host: ThrowAwayHost, kind: str) -> None:
    """Named in the plan, applied, asked by the server name only, verified, with a wrong name told, and taken back."""
    assert kind == "nginx"
    services.start_nginx(host)
    repository = media_ways.start(host)
    host.write(ways.ANSWERS, media_ways.answers(kind), 0o600)
    before = host.snapshot()
    planned = host.tool("plan", "--answers", ways.ANSWERS)
    assert "Media are kept by the media repository at 127.0.0.1:8000" in planned.stdout
    assert "media repository (" not in planned.stdout, planned.stdout

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
    assert len(found) == 2

    repository.stop()
    renamed = media_ways.start(host, media_ways.YAML.replace("name: example.com", "name: matrix.example.com"))
    assert "does not know the server example.com and answers 502" in host.tool("verify").stdout.replace(
        "\n" + " " * 13, " "
    )
    again = host.tool("plan").stdout
    assert f"{media_ways.CONFIGURATION}:3" in again
    assert "does not serve example.com" in " ".join(again.split())
    renamed.stop()

    host.write(media_ways.CONFIGURATION, media_ways.YAML)
    assert host.tool("rollback", "--yes").returncode == 0
    assert {path for path in ways.untouched(before, host) if not path.startswith("/run")} == set()
