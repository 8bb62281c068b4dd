"""The names of a lab host, answered by a real dnsmasq on its 127.0.0.1 and ::1."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.lab.hosts import ADDRESS4, ADDRESS6, LabHost
from tests.lab.running import Running, require_programs

HERE = (ADDRESS4, ADDRESS6)


@dataclass(frozen=True)
class Service:
    """An SRV record, such as ``_matrix-fed._tcp.example.com`` to ``matrix.example.com`` port 8448."""

    name: str
    target: str
    port: int


@dataclass(frozen=True)
class Records:
    """What the world is told; every other name does not exist.

    Attributes:
        hosts: addresses by name.
        services: SRV records.
        further: other dnsmasq options, such as ``caa-record=example.com,0,issue,pebble.invalid``.
    """

    hosts: Mapping[str, tuple[str, ...]] = field(
        default_factory=lambda: {
            "example.com": HERE,
            "matrix.example.com": HERE,
            "neighbour.example.org": HERE,
            "four.example.com": (ADDRESS4,),
        }
    )
    services: tuple[Service, ...] = (
        Service("_matrix-fed._tcp.example.com", "matrix.example.com", 8448),
        Service("_matrix._tcp.example.com", "matrix.example.com", 8448),
    )
    further: tuple[str, ...] = ()


def options(records: Records) -> list[str]:
    """Return dnsmasq's options for these records."""
    return [
        "--no-resolv",
        "--no-hosts",
        "--local=/#/",
        *(f"--host-record={name},{','.join(addresses)}" for name, addresses in records.hosts.items()),
        *(f"--srv-host={service.name},{service.target},{service.port}" for service in records.services),
        *(f"--{option}" for option in records.further),
    ]


def serve(host: LabHost, records: Records | None = None) -> Running:
    """Answer for these records; to change them stop what this returns and serve again."""
    require_programs("dnsmasq")
    listen = ["--conf-file=/dev/null", "--listen-address=127.0.0.1,::1", "--bind-interfaces"]
    running = host.start(["dnsmasq", "--keep-in-foreground", "--pid-file=", *listen, *options(records or Records())])
    host.until_listening(53, "udp")
    return running
