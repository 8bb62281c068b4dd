"""What this tool renders for Caddy itself has no finding."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from palpo_installer.answers import CertificateFiles
from palpo_installer.audit.auditing import audit
from palpo_installer.layout import Layout
from palpo_installer.matrix_site import build
from palpo_installer.proxies.assignment import Assignment
from palpo_installer.proxies.caddy.adapter import CaddyAdapter
from tests.audit.made import NOW, host_with, known
from tests.audit.made_proxies import caddy
from tests.planning.made import inputs_on
from tests.proxies.nginx.sites import HOST

MORE: dict[str, dict[str, object]] = {
    "well-known": {},
    "srv": {"federation.delegation": "srv"},
    "direct": {"federation.delegation": "direct"},
    "none": {"federation.delegation": "none"},
    "media repository": {"media.upstream": "127.0.0.1:8000"},
    "support and calls": {
        "well_known.support": "admin@example.com",
        "well_known.rtc_foci": ["https://rtc.example.com"],
    },
}


@pytest.mark.parametrize("more", MORE)
def test_a_rendered_site_has_no_finding(tmp_path: Path, more: str) -> None:
    """For every delegation and option; and it is read as a site that passes Matrix requests on."""
    answers = inputs_on(tmp_path / "answers", MORE[more]).answers
    host = host_with(tmp_path)
    host.layout.at("/etc/nginx/nginx.conf").unlink()
    site = build(answers, Layout())
    live = Path("/etc/letsencrypt/live")
    files = {
        name: CertificateFiles(live / name / "fullchain.pem", live / name / "privkey.pem") for name in site.certificates
    }
    adapter = CaddyAdapter(replace(caddy(host, "# nothing yet\n"), user="root", room=1))
    found = adapter.render(Assignment(site, HOST, Layout(), files))
    folder = host.layout.at("/etc/caddy/palpo-installer")
    folder.mkdir(parents=True)
    for part in (found.plain, found.secure):
        for file in part.files:
            (folder / file.path.name).write_text(file.text)
    judged = audit(host, replace(known(host), nginx=None, caddy=caddy(host, "import palpo-installer/*.caddy\n")), NOW)
    assert any("Caddy, " in each and "passes" in each for each in judged.read)
    assert [each for each in judged.findings if each.file.suffix == ".caddy"] == []
