from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from palpo_installer.errors import RefusedPlan
from palpo_installer.host import Host
from palpo_installer.layout import Layout
from palpo_installer.operations.lines import AddedLine, edited
from palpo_installer.proxies.base import Lines
from palpo_installer.proxies.haproxy.binds import certificate_list
from palpo_installer.proxies.haproxy.configuration import CertificateList
from palpo_installer.proxies.haproxy.stores import lines

OWN = Path("/etc/haproxy/palpo-installer")
FILE = Path("/etc/haproxy/list")
THEIRS = "# in this order\n/c/a.pem [alpn h2] a.example\n\n/c/b.pem\n"


def read(root: Path, text: str) -> CertificateList:
    """Return a list with a text, as it is found on a host."""
    there = root / FILE.relative_to("/")
    there.parent.mkdir(parents=True, exist_ok=True)
    there.write_text(text)
    return certificate_list(Host(Layout(root)), FILE)


def wanted(there: CertificateList, *names: str) -> tuple[Lines, ...]:
    """Return the edits for a certificate of each of some names."""
    return lines({there: {OWN / f"{name.strip('[]')}.pem": [name] for name in names}}, OWN)


def test_a_list_has_entries_and_an_end(tmp_path: Path) -> None:
    """Comments are lines of their own; what comes to stand last comes in front of the line behind the last one."""
    there = read(tmp_path, THEIRS)
    assert there.entries == (("/c/a.pem", "[alpn", "h2]", "a.example"), ("/c/b.pem",))
    assert (there.end, there.uneditable) == (5, "")
    assert read(tmp_path, THEIRS.rstrip("\n")).end == 0


def test_one_that_cannot_be_read_takes_no_line(tmp_path: Path) -> None:
    """Whether it is not there, or is named as only HAProxy itself can find it."""
    for path in (Path("/nowhere"), Path("relative/list"), Path("@store/list")):
        there = certificate_list(Host(Layout(tmp_path)), path)
        assert (there.entries, there.end, there.uneditable) == ((), 0, "it cannot be read")


def test_a_line_comes_last_with_our_names_alone(tmp_path: Path) -> None:
    """So the certificate that is shown without a name stays; an address is no name that is asked for by SNI."""
    (found,) = wanted(read(tmp_path, THEIRS), "x.example", "[2001:db8::1]", "192.0.2.1")
    assert found.drop == ()
    text = edited(THEIRS.encode(), {5: "\n".join(line.text for line in found.add)}, ()).decode()
    ours = f"{OWN}/192.0.2.1.pem\n{OWN}/2001:db8::1.pem\n{OWN}/x.example.pem x.example\n"
    assert text == THEIRS + ours
    assert {line.before for line in found.add} == {5}


def test_a_line_that_stands_is_left_and_an_earlier_one_goes(tmp_path: Path) -> None:
    """However its words are spaced; a line of theirs is never ours."""
    there = read(tmp_path, f"{THEIRS}{OWN}/x.example.pem   x.example\n{OWN}/old.example.pem old.example\n")
    assert wanted(there, "x.example") == (Lines(there.path, there.path, (), (f"{OWN}/old.example.pem old.example",)),)
    (found,) = wanted(there, "x.example", "y.example")
    assert found.add == (AddedLine(f"{OWN}/y.example.pem y.example", there.end),)
    assert wanted(read(tmp_path, f"{THEIRS}{OWN}/x.example.pem x.example\n"), "x.example") == ()


@pytest.mark.parametrize(("end", "uneditable", "reason"), [(0, "", "has no end"), (5, "a program writes it", "writes")])
def test_where_no_line_can_be_added_it_says_which_to_write(end: int, uneditable: str, reason: str) -> None:
    """Once it stands there, whoever wrote it, nothing is missing."""
    there = CertificateList(FILE, (("/c/a.pem",),), end, uneditable)
    with pytest.raises(RefusedPlan, match=re.escape(reason)) as raised:
        wanted(there, "x.example")
    entry = f"{OWN}/x.example.pem x.example"
    assert raised.value.where == str(FILE)
    assert entry in raised.value.next
    assert wanted(replace(there, entries=(*there.entries, tuple(entry.split()))), "x.example") == ()
