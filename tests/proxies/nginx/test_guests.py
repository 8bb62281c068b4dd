"""The file of a guest, and the line that includes it; nginx itself reads them in rehearsals and in the lab."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from palpo_installer.layout import Layout
from palpo_installer.proxies.nginx.guests import directory, included, leaflet
from palpo_installer.proxies.nginx.tree import Directive
from palpo_installer.proxies.virtual_hosts import Leaflet
from palpo_installer.site import Closed, FixedJson, Guest, Marker, Match, Scope
from tests.situations import nginx_with

ROUTES = (
    Marker(),
    FixedJson("/.well-known/matrix/client", '{"a":"b"}', 60),
    Closed(Match("/.well-known/matrix/server", Scope.EXACT)),
)
GUEST = Guest("example.com", 443, tls=True, routes=ROUTES)


def made(version: tuple[int, int, int] = (1, 22, 1), modules: tuple[str, ...] = ()) -> Leaflet:
    """Return the file of a guest for a version of nginx."""
    return leaflet(GUEST, Path("/etc/nginx/palpo-installer"), replace(nginx_with(), version=version, modules=modules))


def test_directives_that_an_nginx_does_not_know_are_left_out() -> None:
    """Headers of the site are kept out where it could merge them, and texts where it could replace them."""
    assert "add_header_inherit" not in made((1, 29, 2)).file.text
    assert made((1, 29, 3)).file.text.count("add_header_inherit on;") == len(ROUTES)
    assert "sub_filter" not in made().file.text
    assert made(modules=("http_sub_module",)).file.text.count("sub_filter_types text/css;") == len(ROUTES)


def test_the_marker_is_of_all_that_is_answered_and_for_one_name() -> None:
    """Another document has another marker; another name of the same block shows none."""
    other = replace(GUEST, routes=(*ROUTES[:2],))
    marker = leaflet(other, Path("/etc/nginx/palpo-installer"), nginx_with()).marker
    assert marker != made().marker
    assert f"if ($host = example.com) {{\n        set $palpo_installer_marker {made().marker};" in made().file.text


def test_the_line_includes_one_file_by_a_pattern(tmp_path: Path) -> None:
    """Nothing where it is not there, and never another file."""
    path = tmp_path / "example.com-443.conf"
    assert list(tmp_path.glob(included(path).name)) == []
    for name in (path.name, f"{path.name}.bak", f"www.{path.name}"):
        (tmp_path / name).touch()
    assert list(tmp_path.glob(included(path).name)) == [path]
    assert made().line.startswith("include /etc/nginx/palpo-installer/example.com-443.con[f]; # Matrix discovery")


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        ("conf.d/*.conf", "/etc/nginx/palpo-installer"),
        ("/etc/nginx/*/*.con*", "/etc/palpo-installer/nginx"),
        ("palpo-installer/example.com-443.con[f]", "/etc/nginx/palpo-installer"),
    ],
)
def test_a_directory_that_nginx_does_not_include(argument: str, expected: str) -> None:
    """Relative and absolute patterns; a line for one file takes nothing else."""
    main = Path("/etc/nginx/nginx.conf")
    http = Directive("http", (), main, 1, (Directive("include", (argument,), main, 2),))
    assert directory(Directive("", (), main, 1, (http,)), Layout()) == Path(expected)
