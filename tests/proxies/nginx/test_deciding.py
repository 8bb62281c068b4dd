from __future__ import annotations

from pathlib import Path

from palpo_installer.host import Host
from palpo_installer.proxies.found import Location, Rule, ServerBlock
from palpo_installer.proxies.nginx.build import Build
from palpo_installer.proxies.nginx.reading import parse
from palpo_installer.proxies.nginx.tree import load
from palpo_installer.serialization import dump
from palpo_installer.serialization import load as load_json

BUILD = Build((1, 22, 1), (), Path("/usr"), Path("/x"), "x", "stderr", "nobody")


def server(root: Path, text: str, http: str = "") -> ServerBlock:
    """Return the server block with a text, below a text of http."""
    main = root / "nginx.conf"
    main.write_text(f"http {{ {http}\nserver {{\n{text}\n}}\n}}\n")
    return parse(load(Host(), main).top, BUILD, lambda _: ()).servers[0]


def test_locations_are_read_with_their_modifiers(tmp_path: Path) -> None:
    """In one word or two, quoted or not, from included files with their own lines; inner ones are not there."""
    (tmp_path / "more.inc").write_text("\n\nlocation =/c {}\n")
    text = (
        'location / { location /in { } }\nlocation ^~ "/a b" {}\nlocation ~*\\.x {}\nlocation @n {}\ninclude more.inc;'
    )
    main = tmp_path / "nginx.conf"
    assert server(tmp_path, text).locations == (
        Location("", "/", main, 3),
        Location("^~", "/a b", main, 4),
        Location("~*", "\\.x", main, 5),
        Location("@", "n", main, 6),
        Location("=", "/c", tmp_path / "more.inc", 3),
    )


def test_rules_are_read_with_what_is_in_them(tmp_path: Path) -> None:
    """In order; what is in a location, and variables that nothing here reads, are the site's own affair."""
    main = tmp_path / "nginx.conf"
    text = (
        "if ($host = a) {\n return 301 /;\n}\nlocation / { return 404; }\ndeny all;\nset $a b;\nif ($a) { set $c d; }"
    )
    assert server(tmp_path, text).rules == (
        Rule("if", ("$host", "=", "a"), main, 3, (Rule("return", ("301", "/"), main, 4),)),
        Rule("deny", ("all",), main, 7),
        Rule("set", ("$a", "b"), main, 8),
        Rule("if", ("$a",), main, 9),
    )


def test_access_is_inherited_unless_the_server_says_otherwise(tmp_path: Path) -> None:
    """``allow`` and ``deny`` are one list (ngx_http_access_merge_loc_conf)."""

    def names(text: str) -> list[str]:
        return [str(rule) for rule in server(tmp_path, text, "deny all; auth_basic x; set $a b;").rules]

    assert names("") == ["deny all", "auth_basic x"]
    assert names("allow all;") == ["auth_basic x", "allow all"]
    assert names("auth_basic off;") == ["deny all", "auth_basic off"]


def test_a_block_travels_as_json(tmp_path: Path) -> None:
    """Facts are recorded that way; those of an earlier version have neither rules nor locations."""
    block = server(tmp_path, "if ($a) { if_modified_since off; set $a 1; }\nlocation / {}")
    assert load_json(dump(block), ServerBlock) == block
    old = '{"names": [], "listens": [], "certificates": [], "file": "/x", "line": 1}'
    assert load_json(old, ServerBlock) == ServerBlock((), (), (), Path("/x"), 1)
