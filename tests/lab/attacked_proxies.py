"""The proxies on which runs are attacked: what is alike for all stands elsewhere, what is not is a value here.

A proxy that is attacked has a neighbour's site, as in the conformance suite, and a *former* site that may be
withdrawn; a *further* site comes with the change that is attacked. Another proxy, its *successor*, is there and
stopped, for the attack on a change from the one to the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from palpo_installer.site import MARKER_HEADER
from tests.lab.hosts import ADDRESS4

FURTHER_PORT, FORMER_PORT = 8449, 8450
DONE, TAKEN_BACK, NOT_PUT_BACK = frozenset({0}), frozenset({1}), frozenset({5})
DIES, MAIN_PROCESS_DIES = "the proxy dies", "its main process dies"
STOPPED, TAKEN = "a main process that is stopped", "a port that is taken meanwhile"


@dataclass(frozen=True)
class AttackedProxy:
    """One proxy under attack.

    Attributes:
        kind: as in answers.toml.
        successor: the kind of the proxy to which it is changed.
        start: how it is started by hand, outside of what is attacked.
        reload: how it is told by hand to take up its files.
        pid_file: with the number of its main process.
        site: a site on one port of ``ADDRESS4`` with a marker, both to be filled in.
        file: where such a site of somebody's lies, its name to be filled in.
        unused: a file of somebody's that it reads, or may read, and that is needed no more; with its bytes.
        empty: the directory beside its own in which nothing lies.
        line: a line in the neighbour's site that leads to a file; None where its plans have a line of their own.
        test, told: program and a word of the command by which the engine tests its configuration, and tells it.
        signal: by which it is told; 0 where it is asked through a socket.
        lonely: shell commands that leave it without a site and a port, as it is a successor.
        prepared: shell commands for the former site, before it starts.
        options: a file with the options of its start in which a line may stand, and that line.
        without: kinds of operations that its plans do not have, with the reason.
        deadly: attacks by which it fails requests of its neighbour itself, beside those that kill it, with the reason.
        ends: exit codes that are right where they are not what the attack says.
        resets: why a reload may reset a connection that nobody has taken yet; empty where it never does.
        restarted: attacks after which somebody has to restart it, as the run's last words say.
    """

    kind: str
    successor: str
    start: Sequence[str]
    reload: Sequence[str]
    pid_file: Path
    site: str
    file: str
    unused: tuple[Path, bytes]
    empty: Path
    line: NeighboursLine | None
    test: tuple[str, str]
    told: tuple[str, str]
    signal: int
    lonely: str = "true"
    prepared: str = "true"
    options: tuple[Path, str] | None = None
    without: Mapping[str, str] = field(default_factory=dict)
    deadly: Mapping[str, str] = field(default_factory=dict)
    ends: Mapping[str, frozenset[int]] = field(default_factory=dict)
    resets: str = ""
    restarted: frozenset[str] = frozenset()

    @property
    def linked(self) -> Path:
        """A link of somebody's that is needed no more, beside the file."""
        return self.unused[0].with_stem("unused-link")

    def place(self, name: str) -> Path:
        """Return where a site of somebody's lies."""
        return Path(self.file.format(name))

    def text(self, name: str, port: int) -> str:
        """Return a site that shows its name as a marker."""
        return self.site.format(name=name, port=port, address=ADDRESS4, header=MARKER_HEADER)


@dataclass(frozen=True)
class NeighboursLine:
    """A line of ours in the neighbour's site.

    Attributes:
        path: the file of the site.
        named: how the configuration names it.
        after: a word of the line behind which ours comes to stand.
        text: ours, with the file to which it leads to be filled in.
        content: what stands in that file.
    """

    path: Path
    named: Path
    after: str
    text: str
    content: str


NO_OPTIONS = {"EditLines of options": "no plan for it adds an option to its start"}
REMARK = b"# was needed once\r\n# caf\xe9, without a newline"

NGINX = AttackedProxy(
    kind="nginx",
    successor="apache",
    start=("nginx",),
    reload=("nginx", "-s", "reload"),
    pid_file=Path("/run/nginx.pid"),
    site="""\
server {{
    listen {address}:{port};
    add_header {header} "the {name} port" always;
    return 204;
}}
""",
    file="/etc/nginx/conf.d/{}.conf",
    unused=(Path("/etc/nginx/conf.d/unused.conf"), REMARK),
    empty=Path("/etc/nginx/empty.d"),
    line=NeighboursLine(
        Path("/etc/nginx/sites-available/neighbour"),
        Path("/etc/nginx/sites-enabled/neighbour"),
        "server_name",
        "    include {};  # palpo-installer",
        "location = /ours { return 204; }\n",
    ),
    test=("nginx", "-t"),
    told=("nginx", "reload"),
    signal=1,
    lonely="rm -f /etc/nginx/sites-enabled/* /etc/nginx/conf.d/*",
    without=NO_OPTIONS,
    # Its workers go on and keep its ports, so that it cannot be started.
    ends={MAIN_PROCESS_DIES: NOT_PUT_BACK},
)

APACHE = AttackedProxy(
    kind="apache",
    successor="nginx",
    start=("apache2ctl", "start"),
    reload=("apache2ctl", "graceful"),
    pid_file=Path("/run/apache2/apache2.pid"),
    site="""\
Listen {address}:{port}
<VirtualHost {address}:{port}>
    ServerName {name}.example.org
    Header always set {header} "the {name} port"
    Redirect 204 /
</VirtualHost>
""",
    file="/etc/apache2/sites-enabled/{}.conf",
    unused=(Path("/etc/apache2/conf-enabled/unused.conf"), REMARK),
    empty=Path("/etc/apache2/empty.d"),
    line=NeighboursLine(
        Path("/etc/apache2/sites-available/neighbour.conf"),
        Path("/etc/apache2/sites-enabled/neighbour.conf"),
        "ServerName",
        "    Include {}",
        "Redirect 204 /ours\n",
    ),
    test=("apache2ctl", "-t"),
    told=("apache2ctl", "graceful"),
    signal=10,
    lonely="a2enmod --quiet headers; rm -f /etc/apache2/sites-enabled/*; : >/etc/apache2/ports.conf",
    prepared="a2enmod --quiet headers",
    without=NO_OPTIONS,
    deadly={TAKEN: "Apache ends where it cannot open a socket"},
    # Told to reload, a program that does not run starts. Its workers go on and keep its ports.
    ends={DIES: DONE, MAIN_PROCESS_DIES: NOT_PUT_BACK},
)

CADDY = AttackedProxy(
    kind="caddy",
    successor="nginx",
    start=("caddy", "start", "--config", "/etc/caddy/Caddyfile", "--pidfile", "/run/caddy.pid"),
    reload=("caddy", "reload", "--config", "/etc/caddy/Caddyfile"),
    pid_file=Path("/run/caddy.pid"),
    site="""\
http://{name}.example.org:{port} {{
	bind {address}
	header {header} "the {name} port"
	respond 204
}}
""",
    file="/etc/caddy/sites/{}.caddy",
    unused=(Path("/etc/caddy/sites/unused.caddy"), b"# was needed once\r\n# caf\xe9, without a newline"),
    empty=Path("/etc/caddy/empty.d"),
    line=None,
    test=("caddy", "validate"),
    told=("caddy", "reload"),
    signal=0,
    # As ``*`` would, it fits dot names, and so what a run would lay aside there; but ours go elsewhere.
    prepared="printf 'import sites/?*\\n' >>/etc/caddy/Caddyfile",
    without={
        **NO_OPTIONS,
        "MakeLink": "Caddy reads a directory of ours through one import, and certificates by their paths",
    },
    deadly={
        STOPPED: "Caddy is one process",
        TAKEN: "a reload that fails can leave servers of the refused configuration",
    },
    ends={TAKEN: TAKEN_BACK | NOT_PUT_BACK},
    resets="a reload opens new sockets beside the old ones and closes these with what still waits in their queues",
    restarted=frozenset({TAKEN}),
)

HAPROXY = AttackedProxy(
    kind="haproxy",
    successor="nginx",
    start=(
        *("haproxy", "-W", "-D", "-f", "/etc/haproxy/haproxy.cfg", "-f", "/etc/haproxy/conf.d"),
        *("-p", "/run/haproxy.pid"),
    ),
    reload=("sh", "-c", "kill -USR2 $(cat /run/haproxy.pid)"),
    pid_file=Path("/run/haproxy.pid"),
    site="""\
frontend {name}
    bind {address}:{port}
    http-request return status 204 hdr {header} "the {name} port"
""",
    file="/etc/haproxy/conf.d/{}.cfg",
    # It wants a newline at the end of each of its files.
    unused=(Path("/etc/haproxy/conf.d/unused.cfg"), b"# was needed once\r\n# caf\xe9\n"),
    empty=Path("/etc/haproxy/empty.d"),
    line=None,
    test=("haproxy", "-c"),
    told=("sh", "kill -USR2"),
    signal=12,
    options=(Path("/etc/default/haproxy"), 'EXTRAOPTS="-f /etc/haproxy/palpo-installer"  # palpo-installer'),
    deadly={TAKEN: "a new worker keeps the old one from listening while it tries a socket for seconds"},
)

PROXIES: Mapping[str, AttackedProxy] = {each.kind: each for each in (NGINX, APACHE, CADDY, HAPROXY)}


def is_command(words: tuple[str, str], argv: Sequence[str]) -> bool:
    """Return whether a command line starts this program, with this text in one of its words."""
    program, text = words
    return Path(argv[0]).name == program and any(text in each for each in argv)
