"""``palpo-installer audit``: exit codes, forms, without root."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from palpo_installer.audit.finding import Audit
from palpo_installer.commands.auditing import audit
from palpo_installer.facts.names import RESOLV_CONF
from palpo_installer.host import Host
from palpo_installer.serialization import load
from tests.audit.made import SERVER, TOML, host_with
from tests.audit.test_auditing import DOCUMENTED
from tests.commands.invoking import NOBODY, as_root, invoke, tool
from tests.trees import tree


class OfflineHost(Host):
    """A copy of a host, and nobody to ask for names."""

    def text(self, path: Path) -> str | None:
        """Return a file's text, but for the one that names the servers."""
        return None if path == RESOLV_CONF else super().text(path)


def test_a_trap_is_exit_code_six_and_nothing_is_written(tmp_path: Path) -> None:
    """In words and as JSON, which is the same audit."""
    host = OfflineHost(host_with(tmp_path, DOCUMENTED).layout)
    before = tree(tmp_path)
    said = invoke(audit, host)
    assert (said.code, said.error) == (6, None)
    assert "BREAKS" in said.output
    again = invoke(audit, host, "--json")
    assert again.code == 6
    assert load(again.output, Audit).traps
    assert tree(tmp_path) == before


def test_without_a_trap_it_is_zero(tmp_path: Path) -> None:
    """Also where there is no Matrix at all, which is said; the certificates of the test are out of date."""
    host = OfflineHost(host_with(tmp_path / "one", SERVER.replace("ssl_certificate", "#")).layout)
    assert invoke(audit, host).code == 0
    empty = OfflineHost(host_with(tmp_path / "other", "", None).layout)
    said = invoke(audit, empty)
    assert said.code == 0
    assert "No Matrix configuration was found" in said.output


@pytest.fixture
def open_root() -> Iterator[Path]:
    """A directory where everybody can look."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory)
        path.chmod(0o755)
        yield path


@as_root
def test_without_root_it_says_what_it_could_not_read(open_root: Path) -> None:
    """The traps of what may be read are there, and palpo.toml and the certificates are named as not judged."""
    host = host_with(open_root, DOCUMENTED)
    host.layout.at("/etc/letsencrypt/live").chmod(0o700)
    said = tool("--root", open_root, "audit", "--json", user=NOBODY)
    assert said.returncode == 6, said.stderr
    found = json.loads(said.stdout)
    assert "several-peers" in {each["rule"] for each in found["findings"]}
    subjects = " ".join(each["subject"] for each in found["unread"])
    assert TOML in subjects
    assert "/etc/letsencrypt/live/matrix.example.com/fullchain.pem" in subjects
    assert not [each for each in found["findings"] if each["rule"].startswith("certificate")]
