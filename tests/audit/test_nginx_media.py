"""By which name, and for which paths, nginx asks a media repository; and what its configuration changes about that."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from palpo_installer.audit.auditing import audit
from tests.audit.made import NOW, SITE, host_with, known, trapped
from tests.media.made import edited, repository

ALL = "~ ^/_matrix/((client|federation)/v1/)?media(/|$)"
OLD = "/_matrix/media/"
NAMED = "proxy_set_header Host example.com;"


def findings(root: Path, where: str, *lines: str, text: str | None = None) -> list[tuple[str, str]]:
    """Return the rules about media with the line that each points at; ``text`` is a media-repo.yaml."""
    inside = "".join(f"        {line}\n" for line in (*lines, "proxy_pass http://127.0.0.1:8000;"))
    written = trapped(
        ("    location /_matrix/ {", f"    location {where} {{\n{inside}    }}\n    location /_matrix/ {{")
    )
    host = host_with(root, written)
    facts = known(host)
    facts = replace(facts, media=repository(text)) if text else facts
    found = [each for each in audit(host, facts, NOW).findings if str(each.file).endswith(SITE)]
    rows = written.splitlines()
    return [(each.rule, rows[each.line - 1].strip()) for each in found if each.rule.startswith("media")]


@pytest.mark.parametrize(
    ("rule", "lines"),
    [
        ("media-host", ()),
        ("media-host", ("proxy_set_header Host $host;",)),
        ("media-host", ("set $name matrix.example.com;", "proxy_set_header Host $name;")),
        ("media-forwarded-host", (NAMED, "proxy_set_header X-Forwarded-Host $http_host;")),
        ("", (NAMED,)),
        ("", ("proxy_set_header Host example.com:443;",)),
        ("", ("proxy_set_header Host $host;", "proxy_set_header X-Forwarded-Host example.com;")),
        ("", ("proxy_set_header Host $somewhere;",)),
    ],
)
def test_the_name_that_it_is_told(tmp_path: Path, rule: str, lines: tuple[str, ...]) -> None:
    """The server name is right, in Host or in X-Forwarded-Host; what depends on the request is not judged."""
    expected = [(rule, "proxy_pass http://127.0.0.1:8000;")] if rule else []
    assert findings(tmp_path, ALL, *lines) == expected


def test_a_family_of_paths_that_goes_to_the_homeserver(tmp_path: Path) -> None:
    """As in instructions from before media needed a login."""
    assert findings(tmp_path, OLD, NAMED) == [("media-path-missing", "proxy_pass http://127.0.0.1:8000;")]


def test_a_repository_that_does_not_believe_the_forwarded_host(tmp_path: Path) -> None:
    """Then Host alone counts."""
    deaf = edited(("  port: 8000", "  port: 8000\n  useForwardedHost: false"))
    forwarded = "proxy_set_header X-Forwarded-Host $host;"
    assert findings(tmp_path / "named", ALL, NAMED, forwarded, text=deaf) == []
    here = "proxy_set_header X-Forwarded-Host example.com;"
    assert [rule for rule, _ in findings(tmp_path / "host", ALL, here, text=deaf)] == ["media-host"]


def test_a_homeserver_that_is_somewhere_else_is_no_media_repository(tmp_path: Path) -> None:
    """Where all of Matrix goes to an address that is not known, nothing is said of media."""
    host = host_with(tmp_path, trapped(("http://127.0.0.1:8008", "http://192.0.2.9:8008")))
    assert [each for each in audit(host, known(host), NOW).findings if each.rule.startswith("media")] == []
