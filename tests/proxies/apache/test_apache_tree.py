"""Apache's files, read in its order and with its conditions."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import pytest

from palpo_installer.host import Host
from palpo_installer.proxies.apache.tree import Surroundings, Tree, load


def read(root: Path, files: Mapping[str, str], *, assumed: tuple[str, ...] = (), defines: tuple[str, ...] = ()) -> Tree:
    """Return the tree of files below a directory, the first of which is the main one."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    surroundings = Surroundings(
        root, (2, 4, 71), {"LOGS": "/var/log/x"}, frozenset(defines), ("core.c", "mod_so.c"), assumed
    )
    return load(Host(), root / next(iter(files)), surroundings)


def ports(tree: Tree) -> list[str]:
    """Return what the ``Listen`` directives outside of sections say."""
    return [each.arguments[0] for each in tree.top.all("listen")]


def test_includes_stand_in_the_order_in_which_apache_reads_them(tmp_path: Path) -> None:
    """By name, in the place of the directive; hidden files, and what a pattern does not fit, are left out."""
    tree = read(
        tmp_path,
        {
            "main.conf": "Listen 1\nIncludeOptional sites/*.conf\nInclude one.conf\nInclude d\nIncludeOptional no/*",
            "sites/b.conf": "Listen 3",
            "sites/a.conf": "Listen 2",
            "sites/.a.conf": "Listen 99",
            "sites/a.conf.bak": "Listen 99",
            "one.conf": "Listen 4",
            "d/e/f": "Listen 5",
        },
    )
    assert ports(tree) == ["1", "2", "3", "4", "5"]
    assert tree.problems == ()
    assert [each.path.name for each in tree.files] == ["main.conf", "a.conf", "b.conf", "one.conf", "f"]
    assert tree.included == (tmp_path / "d", tmp_path / "d/e")
    assert tree.files[1].sha256 == hashlib.sha256(b"Listen 2").hexdigest()
    assert {(each.file.name, each.line) for each in tree.top.all("listen")} >= {("main.conf", 1), ("a.conf", 1)}


@pytest.mark.parametrize(
    ("condition", "applies"),
    [
        ("IfModule ssl_module", True),
        ("IfModule mod_ssl.c", True),
        ("IfModule mod_gnutls.c", False),
        ("IfModule !mod_gnutls.c", True),
        ("IfModule core.c", True),
        ("IfModule event.c", True),
        ("IfModule rewrite_module", False),
        ("IfDefine GIVEN", True),
        ("IfDefine Set", True),
        ("IfDefine Unset", False),
        ("IfDefine !Unset", True),
        ("IfVersion >= 2.4.7", True),
        ("IfVersion < 2.4", False),
        ("IfVersion !< 2.4", True),
        ("IfVersion 2.4.71", True),
        ("IfFile main.conf", True),
        ("IfFile gone.conf", False),
        ('IfModule "ssl_module"', True),
    ],
)
def test_conditions(tmp_path: Path, condition: str, applies: bool) -> None:
    """Modules by identifier and by source file, names with -D and Define, versions, files; and their contrary."""
    name = condition.partition(" ")[0]
    text = (
        "LoadModule ssl_module /usr/lib/mod_ssl.so\nLoadModule mpm_event_module x/mod_mpm_event.so\n"
        "Define Set\nDefine Unset\nUnDefine Unset\n"
        f"<{condition}>\n<{name} core.c>\n</{name}>\nListen 1\n</{name}>\nListen 2"
    )
    tree = read(tmp_path, {"main.conf": text}, defines=("GIVEN",))
    assert ports(tree) == (["1"] if applies else []) + ["2"]
    assert tree.problems == ()


def test_a_module_counts_from_its_line_on_and_an_assumed_one_everywhere(tmp_path: Path) -> None:
    """As for Apache, which reads LoadModule in order."""
    files = {"main.conf": "<IfModule x_module>\nListen 1\n</IfModule>\nLoadModule x_module m/mod_x.so\n"}
    assert ports(read(tmp_path, files)) == []
    assert ports(read(tmp_path, files, assumed=("x_module",))) == ["1"]
    assert read(tmp_path, files).loads == (("x_module", tmp_path / "main.conf"),)


def test_variables_have_the_values_of_the_environment_and_of_define(tmp_path: Path) -> None:
    """In arguments and in sections."""
    tree = read(tmp_path, {"main.conf": 'Define port 81\nListen ${port}\nErrorLog "${LOGS}/e r"\n'})
    assert (ports(tree), tree.top.last("errorlog")) == (["81"], "/var/log/x/e r")


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("Listen 80\nInclude gone.conf", 2, "No such file"),
        ("Listen ${gone}", 1, "the variable gone has no value"),
        ("<VirtualHost *:80>\nServerName a", 1, "is not closed"),
        ("</VirtualHost>", 1, "ends no section"),
        ("<Macro M $x>\nListen $x\n</Macro>\nUse M 80", 4, "macro"),
        ("<Perl>\nprint 1;\n</Perl>", 1, "Perl"),
        ("Include main.conf", 1, "include each other"),
    ],
)
def test_what_cannot_be_read_is_a_problem_with_its_place(tmp_path: Path, text: str, line: int, says: str) -> None:
    """And never an error."""
    tree = read(tmp_path, {"main.conf": text})
    assert [(each.file.name, each.line) for each in tree.problems] == [("main.conf", line)]
    assert says in tree.problems[0].message


def test_sections_keep_their_directives(tmp_path: Path) -> None:
    """For whoever asks which directives stand in a virtual host, in its sections too."""
    text = "<VirtualHost *:80>\nServerName a\n<Location /x>\nRequire all denied\n</Location>\n</VirtualHost>"
    (section,) = read(tmp_path, {"main.conf": text}).top.all("virtualhost")
    assert [each.name for each in section.block] == ["servername", "location"]
    assert [(each.arguments, each.line) for each in section.within("require")] == [(("all", "denied"), 4)]
