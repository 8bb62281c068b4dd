"""Ports for tests: no two askers get the same one, and none that somebody has."""

from __future__ import annotations

import socket
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest

from tests.ports import END, FIRST, free_port, free_ports, is_free


def test_each_is_given_out_once() -> None:
    """Processes that ask at one time get different ports, all below those of connections."""
    with ProcessPoolExecutor(4, get_context("spawn")) as processes:
        asked = [processes.submit(free_ports, 5) for _ in range(8)]
        found = [port for each in asked for port in each.result()]
    assert len(set(found)) == 40
    assert all(FIRST <= port < END for port in found)


@pytest.mark.parametrize(("family", "address"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
def test_a_port_that_is_taken_is_not_free(family: int, address: str, kind: int) -> None:
    """Whatever the family and the protocol of who has it."""
    port = free_port()
    with socket.socket(family, kind) as held:
        held.bind((address, port))
        assert not is_free(port)
    assert is_free(port)
