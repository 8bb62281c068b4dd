"""The program that runs certbot, without a CA."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from palpo_installer.certificates.process import CHILD
from palpo_installer.certificates.protocol import Result, parse
from palpo_installer.certificates.workplace import Workplace
from palpo_installer.layout import Layout


def child(place: Workplace, *arguments: str, **environment: str) -> tuple[Result, subprocess.CompletedProcess[str]]:
    """Run the program and return its result."""
    place.prepare()
    argv = [sys.executable, "-I", "-m", CHILD, *arguments]
    variables = {**place.environment(None, ""), **environment}
    done = subprocess.run(argv, capture_output=True, text=True, check=False, env=variables)
    (line,) = done.stdout.splitlines()
    result = parse(line)
    assert isinstance(result, Result)
    return result, done


def test_the_administrators_settings_do_not_count(tmp_path: Path) -> None:
    """A cli.ini with hooks, or with nonsense, is not read: it is meant for the administrator's own certificates."""
    place = Workplace.of(Layout(root=tmp_path))
    (tmp_path / "letsencrypt").mkdir()
    (tmp_path / "letsencrypt/cli.ini").write_text("issuance-timeout = nonsense\n")
    arguments = ("--", "renew", *place.arguments())
    result, done = child(place, *arguments, XDG_CONFIG_HOME=str(tmp_path))
    assert (result, done.returncode) == (Result("done"), 0)
    assert "No renewals were attempted" in done.stderr


def test_errors_are_results(tmp_path: Path) -> None:
    """What certbot refuses, and what its arguments make impossible, comes back as one line."""
    place = Workplace.of(Layout(root=tmp_path))
    result, done = child(place, "--", "renew", "--cert-name", "palpo-none", *place.arguments())
    assert (result.status, result.error, done.returncode) == ("failed", "CertStorageError", 1)
    assert "palpo-none" in result.text
    result, _ = child(place, "--", "renew", "--no-such-option")
    assert (result.status, result.text) == ("failed", "2")


def test_a_broken_external_account_is_a_result(tmp_path: Path) -> None:
    """It is refused before certbot runs."""
    place = Workplace.of(Layout(root=tmp_path))
    account = tmp_path / "eab"
    account.write_text("kid = k1\n")
    result, done = child(place, "--external-account", str(account), "--", "renew", *place.arguments())
    assert (result.status, result.error) == ("failed", "AnswersError")
    assert "Processing" not in done.stderr


def test_nothing_else_loads_certbot() -> None:
    """What starts the program does not load certbot, nor does any operation."""
    code = (
        "import sys, palpo_installer.operations.certificates, palpo_installer.certificates.preflight;"
        "sys.exit('certbot' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_environment_is_built(tmp_path: Path) -> None:
    """It holds nothing of ours, the given authority and proxy, and an empty private home."""
    place = Workplace.of(Layout(root=tmp_path))
    place.prepare()
    environment = place.environment(tmp_path / "ca.pem", "http://proxy.lan:3128")
    assert set(environment) == {
        *("PATH", "LC_ALL", "HOME", "XDG_CONFIG_HOME", "TMPDIR", "REQUESTS_CA_BUNDLE", "HTTP_PROXY", "HTTPS_PROXY")
    }
    assert environment["REQUESTS_CA_BUNDLE"] == str(tmp_path / "ca.pem")
    assert "HTTPS_PROXY" not in place.environment(None, "")
    assert os.listdir(environment["HOME"]) == []  # noqa: PTH208
    assert place.home.stat().st_mode & 0o777 == 0o700
