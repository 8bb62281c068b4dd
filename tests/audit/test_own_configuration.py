"""What this tool renders itself has no finding."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from palpo_installer import matrix_site
from palpo_installer.audit.auditing import audit
from palpo_installer.audit.finding import Finding
from palpo_installer.facts.names import Name, ServiceRecord
from palpo_installer.homeserver.settings import settings
from palpo_installer.planning.inputs import Inputs
from palpo_installer.planning.rendered import rendered
from palpo_installer.planning.serving import Serving
from palpo_installer.secret import SecretReference
from tests.audit.made import KEY, NOW
from tests.facts.made import certificate
from tests.planning.made import again, inputs_on
from tests.situations import DATABASE

HOSTS = ("nginx_stopped", "debian_sites")
VERSIONS = ((1, 22, 1), (1, 26, 3))
RAW: dict[str, dict[str, object]] = {
    "well-known": {},
    "srv": {"federation.delegation": "srv"},
    "direct": {"federation.delegation": "direct"},
    "none": {"federation.delegation": "none"},
}
RECORDS = (ServiceRecord(10, 0, 8448, "matrix.example.com"),)


def of_version(inputs: Inputs, version: tuple[int, int, int]) -> Inputs:
    """Return inputs with another version of nginx."""
    assert inputs.facts.nginx is not None
    return replace(inputs, facts=replace(inputs.facts, nginx=replace(inputs.facts.nginx, version=version)))


def installed(inputs: Inputs) -> None:
    """Write every file of a plan to its place, and certificates for the names."""
    wanted = matrix_site.build(inputs.answers, inputs.layout)
    serving = Serving(inputs, wanted)
    for file in rendered(inputs, serving):
        file.path.parent.mkdir(parents=True, exist_ok=True)
        if file.target:
            file.path.symlink_to(file.target)
        else:
            file.path.write_bytes(with_secrets(file.data, inputs))
            file.path.chmod(file.mode)
    for name in wanted.certificates:
        live = inputs.layout.authority / name
        certificate(name).write(live / "fullchain.pem", live / "privkey.pem")


def with_secrets(data: bytes, inputs: Inputs) -> bytes:
    """Return a file with what stands for secrets in a rendering replaced by usable ones."""
    for setting in settings(inputs.answers, None, inputs.layout):
        if isinstance(setting.value, SecretReference):
            usable = DATABASE if setting.key == ("db", "url") else KEY if setting.key[0] == "keypair" else "a-word"
            data = data.replace(setting.value.placeholder.encode(), usable.encode())
    return data


def found(inputs: Inputs, services: tuple[ServiceRecord, ...]) -> tuple[Finding, ...]:
    """Return what an audit finds in what is ours: the neighbours of a recorded host are their owners' business."""
    assert inputs.facts.nginx is not None
    facts = of_version(again(inputs), inputs.facts.nginx.version).facts
    facts = replace(facts, names=(Name("example.com", (), "", services, (), (), ""),))
    judged = audit(inputs.host, facts, NOW)
    assert any("matrix.example.com" in each and "passes" in each for each in judged.read)
    return judged.findings


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("recording", HOSTS)
@pytest.mark.parametrize("delegation", RAW)
def test_a_rendered_site_has_no_finding(
    tmp_path: Path, recording: str, delegation: str, version: tuple[int, int, int]
) -> None:
    """For every delegation, alone and beside other sites, in both forms of HTTP/2."""
    inputs = of_version(inputs_on(tmp_path, RAW[delegation], recording), version)
    installed(inputs)
    assert found(inputs, RECORDS if delegation == "srv" else ()) == ()


def test_a_rendered_site_with_every_option_has_no_finding(tmp_path: Path) -> None:
    """Media repository, support, calls and an open registration by token change nothing."""
    more = {
        "media.upstream": "127.0.0.1:8000",
        "well_known.support": "admin@example.com",
        "well_known.rtc_foci": ["https://rtc.example.com"],
        "homeserver.registration": "token",
        "homeserver.registration_token": "a-word",
    }
    inputs = inputs_on(tmp_path, more)
    installed(inputs)
    assert found(inputs, ()) == ()
