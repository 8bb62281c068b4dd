"""Fixtures that give a test a host of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab import from_go, names, repository, services
from tests.lab.booted import BootedHost, installed
from tests.lab.hosts import ThrowAwayHost
from tests.lab.running import require_root, until


@pytest.fixture
def host() -> Iterator[ThrowAwayHost]:
    """A throw-away copy of this machine, with names."""
    require_root()
    throw_away = ThrowAwayHost()
    try:
        names.serve(throw_away)
        yield throw_away
    finally:
        throw_away.stop()


@pytest.fixture
def bare() -> Iterator[ThrowAwayHost]:
    """A throw-away host with names and without any proxy."""
    require_root()
    host = ThrowAwayHost(keep=[repository.repository()])
    try:
        repository.strip(host)
        names.serve(host)
        yield host
    finally:
        host.stop()


@pytest.fixture(params=from_go.SLOWLY)
def any_caddy_program(request: pytest.FixtureRequest) -> Path:
    """The program of Debian's Caddy, and with ``--slow`` of each version."""
    return from_go.made(request.param)


@pytest.fixture
def any_caddy(any_caddy_program: Path, host: ThrowAwayHost) -> ThrowAwayHost:
    """The host with each of these programs as its Caddy, not running."""
    from_go.put(host, any_caddy_program)
    return host


@pytest.fixture
def acme(host: ThrowAwayHost) -> services.Authority:
    """A certificate authority on the host; REQUESTS_CA_BUNDLE=``ca_file`` lets certbot trust it."""
    return services.start_pebble(host)


@pytest.fixture
def nginx(host: ThrowAwayHost) -> ThrowAwayHost:
    """The host with Debian's nginx running, beside the installer a neighbour's site."""
    services.start_nginx(host)
    return host


@pytest.fixture
def apache(host: ThrowAwayHost) -> ThrowAwayHost:
    """The host with Debian's Apache running, beside the installer a neighbour's site."""
    services.start_apache(host)
    return host


@pytest.fixture(params=from_go.PARAMETERS)
def caddy_program(request: pytest.FixtureRequest) -> Path:
    """The program of each version of Caddy; with ``--slow`` it is built where it is not yet."""
    version: str = request.param
    return from_go.made(version) if request.config.getoption("--slow") else from_go.found(version)


@pytest.fixture
def booted() -> Iterator[BootedHost]:
    """A booted Debian host with names, the installed tool, and nginx beside a neighbour's site."""
    require_root()
    debian = BootedHost(installed())
    try:
        names.serve(debian.outside)
        services.configure_nginx(debian)
        # Not a reload: for a moment a worker with the former configuration would still answer.
        debian.output(["systemctl", "restart", "nginx"])
        asked = ["curl", "--silent", f"http://{services.NEIGHBOUR}/"]
        until(lambda: debian.run(asked).stdout.startswith("the neighbour"), "the neighbour's site")
        yield debian
    finally:
        debian.stop()


@pytest.fixture
def booted_acme(booted: BootedHost) -> services.Authority:
    """A certificate authority for the booted host, which finds its certificate at the same ``ca_file``."""
    authority = services.start_pebble(booted.outside)
    booted.write(authority.ca_file, booted.outside.read(authority.ca_file))
    return authority
