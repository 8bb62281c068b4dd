from __future__ import annotations

from pathlib import Path

import pytest

from palpo_installer.audit.apache_conditions import holds
from tests.audit.made import trapped
from tests.audit.made_proxies import APACHE
from tests.audit.test_passing_rules import findings

VALUES = {"REQUEST_URI": "/_matrix/x", "THE_REQUEST": "GET /_matrix/x HTTP/1.1"}
OPEN = (
    "    ProxyPass /_palpo/client",
    "    ProxyPass /_palpo http://127.0.0.1:8008/_palpo nocanon\n    ProxyPass /_palpo/client",
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("%{REQUEST_URI} =~ m#^/_matrix(?:/|$)#", True),
        ("!(%{REQUEST_URI} =~ m#^/_matrix(?:/|$)#)", False),
        ("%{REQUEST_URI} =~ /^\\/_MATRIX/i", True),
        ("%{REQUEST_URI} !~ m#^/x# && true", True),
        ("false || (%{REQUEST_URI} =~ m#^/x# || %{THE_REQUEST} =~ m#^[^ ]+ /_matrix#)", True),
        ("%{REQUEST_URI} =~ m#^/x# && -n %{HTTP:Content-Length}", False),
        ("-n %{HTTP:Content-Length} && %{HTTP:Content-Length} -gt 5", None),
        ("%{REQUEST_METHOD} == 'POST'", None),
        ("%{REQUEST_METHOD} == 'POST' || %{REQUEST_URI} =~ m#^/_matrix#", True),
        ("%{REQUEST_URI} =~ m#(#", None),
        ("", None),
    ],
)
def test_expressions_about_paths(text: str, expected: bool | None) -> None:
    """What is not understood may be so or not, and decides only where the rest does not."""
    assert holds(text, VALUES) is expected


@pytest.mark.parametrize(
    "closing",
    [
        '    <If "%{REQUEST_URI} =~ m#^/_palpo/(admin|mas)#">\n        Redirect 404\n    </If>\n',
        '    <If "-z reqenv(\'usual\')">\n        <If "%{REQUEST_URI} =~ m#^/_palpo/(admin|mas)#">\n'
        "            Redirect 404\n        </If>\n    </If>\n",
        '    <Location "/_palpo/admin">\n        Require all denied\n    </Location>\n'
        '    <LocationMatch "^/_palpo/mas">\n        Require all denied\n    </LocationMatch>\n',
    ],
)
def test_what_is_refused_is_not_exposed(tmp_path: Path, closing: str) -> None:
    """By a condition, by one in another, or by a location; without it, it is."""
    text = trapped(OPEN, text=APACHE)
    assert "admin-exposed" in [rule for rule, _ in findings(tmp_path / "open", "apache", text)]
    closed = text.replace("    ProxyPass /_matrix", f"{closing}    ProxyPass /_matrix", 1)
    assert "admin-exposed" not in [rule for rule, _ in findings(tmp_path / "closed", "apache", closed)]
