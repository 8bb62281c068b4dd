"""A CA's directory without a CA; with one: tests/lab/test_certificates.py."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from acme.messages import Directory as Resource

from palpo_installer.certificates import directory
from palpo_installer.errors import HostError
from tests.ports import free_port

META = {
    "termsOfService": "https://ca.example/terms",
    "externalAccountRequired": True,
    "caaIdentities": ["CA.example"],
    "profiles": {"shortlived": "six days"},
}


def test_metadata_is_read() -> None:
    """Everything that an order needs is taken over, and what is not there is empty."""
    meta = Resource.from_json({"newOrder": "https://ca.example/order", "meta": META}).meta
    found = directory.read("https://ca.example/dir", meta)
    assert found.terms_of_service == "https://ca.example/terms"
    assert found.external_account_required
    assert found.caa_identities == ("ca.example",)
    assert found.profiles == {"shortlived": "six days"}
    empty = directory.read("https://ca.example/dir", Resource.from_json({}).meta)
    assert (empty.terms_of_service, empty.external_account_required, empty.caa_identities) == ("", False, ())


def test_nobody_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """A closed port is one sentence with the URL, and our own environment's proxy is not asked."""
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.invalid:1")
    url = f"https://127.0.0.1:{free_port()}/dir"
    with pytest.raises(HostError, match="the CA cannot be reached: the connection is refused") as failed:
        directory.fetch(url, None, "")
    assert failed.value.where == url


def test_an_authority_file_that_is_missing(tmp_path: Path) -> None:
    """The answer to correct is named."""
    with pytest.raises(HostError, match="the file with its authority is not there") as failed:
        directory.fetch(f"https://127.0.0.1:{free_port()}/dir", tmp_path / "none.pem", "")
    assert failed.value.next == "Check certificates.ca_file"


def test_whom_to_trust() -> None:
    """The given file, else what this system trusts."""
    system = ssl.get_default_verify_paths()
    assert directory.trust(Path("/srv/ca.pem")) == "/srv/ca.pem"
    assert directory.trust(None) in {system.cafile, system.capath} or directory.trust(None).endswith("cacert.pem")
