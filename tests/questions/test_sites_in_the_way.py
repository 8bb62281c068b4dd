"""When a site of somebody else's is asked about, and how it is named."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from palpo_installer.answers import BaseDomain, Delegation
from palpo_installer.layout import Layout
from palpo_installer.proxies.found import Listen
from palpo_installer.questions import Situation, question_for
from tests.situations import facts, nginx_with

QUESTION = question_for("proxy.take_over")
GIVEN: Mapping[str, object] = {
    "names.server_name": "example.com",
    "names.client_host": "matrix.example.com",
    "names.base_domain": BaseDomain.EXISTING,
    "federation.delegation": Delegation.WELL_KNOWN,
    "federation.port": 8448,
}


def situation(name: str, port: int, **more: object) -> Situation:
    """Return a host whose nginx has one site with a name on a port."""
    nginx = nginx_with(name)
    listen = Listen("0.0.0.0", port, ("ssl",), Path("/etc/nginx/sites-enabled/site"), 2)
    servers = (replace(nginx.servers[0], listens=(listen,)),)
    changed = {key.replace("__", "."): value for key, value in more.items()}
    return Situation(facts(nginx=replace(nginx, servers=servers)), Layout(), {**GIVEN, **changed})


@pytest.mark.parametrize(
    ("name", "port", "delegation", "asked"),
    [
        ("Matrix.example.com", 443, Delegation.WELL_KNOWN, True),
        ("matrix.example.com", 8448, Delegation.SRV, False),
        ("example.com", 8448, Delegation.SRV, True),
        ("example.com", 443, Delegation.SRV, False),
        ("example.com", 8448, Delegation.WELL_KNOWN, False),
    ],
)
def test_only_a_site_in_the_way_is_asked_about(name: str, port: int, delegation: Delegation, asked: bool) -> None:
    """A name counts on those ports where it will be ours: the base domain's website beside SRV records stays."""
    assert QUESTION.applies(situation(name, port, federation__delegation=delegation)) is asked


def test_the_site_in_the_way_is_named() -> None:
    """By name, file and line: who consents must know to what."""
    now = QUESTION.now(situation("matrix.example.com", 443))
    assert now == "In the way: matrix.example.com at /etc/nginx/sites-enabled/site:1."
