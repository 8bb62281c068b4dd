"""Another machine: a network namespace beside a lab host, whose packets have to pass the host's firewall."""

from __future__ import annotations

from tests.lab.hosts import LabHost

HOST4, HOST6 = "192.0.2.1", "2001:db8::1"
INTERFACE = "wan"
CONNECT = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=0.7).close()
    print("open")
except ConnectionRefusedError:
    print("refused")
except OSError:
    print("filtered")
"""
ENTER = ("ip", "netns", "exec", "outside")


class Outsider:
    """The other machine; the host's default routes lead to it over the interface ``wan``."""

    def __init__(self, host: LabHost) -> None:
        self._host = host
        for words in (
            "netns add outside",
            f"link add {INTERFACE} type veth peer name lan netns outside",
            f"address add {HOST4}/24 dev {INTERFACE}",
            f"address add {HOST6}/64 dev {INTERFACE} nodad",
            f"link set {INTERFACE} up",
            "-n outside address add 192.0.2.2/24 dev lan",
            "-n outside address add 2001:db8::2/64 dev lan nodad",
            "-n outside link set lan up",
            "route add default via 192.0.2.2",
            "-6 route add default via 2001:db8::2",
        ):
            host.output(["ip", *words.split()])

    def finds(self, port: int) -> tuple[str, str]:
        """Return what a connection to a port of the host meets, over IPv4 and IPv6: open, refused or filtered."""
        four, six = (
            self._host.output([*ENTER, self._host.python, "-I", "-c", CONNECT, address, str(port)]).strip()
            for address in (HOST4, HOST6)
        )
        return four, six
