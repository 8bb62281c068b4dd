from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from palpo_installer.host import Host
from palpo_installer.proxies.nginx.tree import Directive, Tree, load


def tree(root: Path, files: dict[str, str]) -> Tree:
    """Write files below a directory and load ``nginx.conf``."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return load(Host(), root / "nginx.conf")


def names(block: tuple[Directive, ...]) -> list[str]:
    """Return the names of directives, nested ones in a list's text."""
    return [each.name + (str(names(each.block)) if each.block else "") for each in block]


def test_included_files_stand_where_they_are_included(tmp_path: Path) -> None:
    """Order, file and line are those in which nginx reads them; relative paths start at the main file."""
    found = tree(
        tmp_path,
        {
            "nginx.conf": "user a;\nhttp {\n  include conf.d/*.conf;\n  gzip on;\n}\n",
            "conf.d/b.conf": "\nserver { listen 2; include snippet; }\n",
            "conf.d/a.conf": "sendfile on;\n",
            "conf.d/.hidden.conf": "broken",
            "conf.d/a.conf.bak": "broken",
            "snippet": "root /x;\n",
        },
    )
    assert names(found.top.block) == [
        "user",
        "http['include', 'sendfile', \"server['listen', 'include', 'root']\", 'gzip']",
    ]
    (server,) = found.top.all("http")[0].all("server")
    assert (server.file, server.line) == (tmp_path / "conf.d/b.conf", 2)
    assert (server.block[-1].file, server.block[-1].line) == (tmp_path / "snippet", 1)
    assert [each.path.name for each in found.files] == ["nginx.conf", "a.conf", "b.conf", "snippet"]
    assert found.problems == ()


def test_each_file_has_its_digest(tmp_path: Path) -> None:
    """The digest is that of the bytes, whatever they are."""
    (tmp_path / "nginx.conf").write_bytes(b"# \xff\xfe\nuser a;\n")
    (found,) = load(Host(), tmp_path / "nginx.conf").files
    assert found.sha256 == hashlib.sha256(b"# \xff\xfe\nuser a;\n").hexdigest()


def test_a_snippet_counts_in_every_place_that_includes_it(tmp_path: Path) -> None:
    """The same file in two servers belongs to both, and is one file."""
    text = "http {\n server { include tls; }\n server { include tls; }\n}\n"
    found = tree(tmp_path, {"nginx.conf": text, "tls": "listen 443 ssl;\n"})
    assert [names(server.block) for server in found.top.all("http")[0].all("server")] == [["include", "listen"]] * 2
    assert len(found.files) == 2


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("user a;\nhttp {\n", 2, 'unexpected end of file, expecting "}"'),
        ("user a;\nhttp { server { } } }\n", 2, 'unexpected "}"'),
        ("user a;\ninclude absent.conf;\n", 2, "absent.conf: No such file or directory"),
        ("http {\n server {\n  listen 80\n }\n}\n", 3, 'directive "listen" is not terminated by ";"'),
        ("http {\n server name {\n }\n}\n", 2, 'invalid number of arguments in "server" directive'),
        ("http {\n server {\n  ssl_certificate a b;\n }\n}\n", 3, 'invalid number of arguments in "ssl_certificate"'),
        ("user a", 1, "the file ends in the middle of a directive"),
    ],
)
def test_what_nginx_would_not_load_is_a_problem_with_its_place(
    tmp_path: Path, text: str, line: int, message: str
) -> None:
    """Each kind of mistake is told with its file and line, none is raised."""
    (problem,) = tree(tmp_path, {"nginx.conf": text}).problems
    assert (problem.file, problem.line) == (tmp_path / "nginx.conf", line)
    assert message in problem.message


def test_a_broken_file_costs_no_other_file(tmp_path: Path) -> None:
    """The problem names the included file, and the rest is there."""
    files = {
        "nginx.conf": "http {\n include d/*;\n gzip on;\n}\n",
        "d/bad": "server {\n",
        "d/good": "server { listen 1; }\n",
    }
    found = tree(tmp_path, files)
    assert [(each.file.name, each.line) for each in found.problems] == [("bad", 1)]
    assert names(found.top.all("http")[0].block) == ["include", "server['listen']", "gzip"]


def test_what_only_a_newer_nginx_knows_is_no_problem(tmp_path: Path) -> None:
    """Unknown directives, other contexts and other arguments are for the installed nginx to judge."""
    text = (
        "http {\n server {\n  http2 on;\n  new_thing { a b; }\n  sendfile maybe;\n  root /a /b;\n  listen 1;\n }\n}\n"
    )
    found = tree(tmp_path, {"nginx.conf": text})
    assert found.problems == ()
    assert [each.name for each in found.top.all("http")[0].all("server")[0].block] == ["http2", "new_thing", "listen"]


def test_a_file_that_includes_itself_ends(tmp_path: Path) -> None:
    """Where nginx runs out of files, reading goes on."""
    found = tree(tmp_path, {"nginx.conf": "http { include loop; }\n", "loop": "server { listen 1; }\ninclude loop;\n"})
    assert names(found.top.all("http")[0].block) == ["include", "server['listen']", "include"]


def test_a_missing_or_unreadable_main_file_is_a_problem(tmp_path: Path) -> None:
    """Nothing is there, or a directory is."""
    (missing,) = load(Host(), tmp_path / "nginx.conf").problems
    assert "No such file" in missing.message
    (tmp_path / "nginx.conf").mkdir()
    found = load(Host(), tmp_path / "nginx.conf")
    assert "Is a directory" in found.problems[0].message
    assert found.files[0].sha256 == ""
