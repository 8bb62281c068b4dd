"""What is read in a Caddyfile, compared with what Caddy itself makes of it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from palpo_installer.host import Host
from palpo_installer.proxies.caddy import reading, tree

CADDYFILE = """\
{
	email a@b.example
	servers {
		protocols h1 h2
	}
}
(common) {
	header X-A {args.0}
}
# comment
a.example, www.a.example,
http://plain.example {
	import common "v # x"
	respond `{"a": "}"}` 200
}
https://b.example:8448 {
	tls internal
	handle_path /y/* {
		reverse_proxy 127.0.0.1:9
	}
}
:8080 {
	respond "multi
line {" 200
}
http://bound.example {
	bind 127.0.0.1 [::1]
	respond \\
		"x" 201
}
import sites/*.caddy
*.wild.example:443 {
	tls internal
	abort
}
"""


def test_sites_are_where_caddy_has_them(tmp_path: Path, caddy_program: Path) -> None:
    """Names and sockets are those of ``caddy adapt``, with imports, snippets, quotes and lists of addresses."""
    (tmp_path / "sites").mkdir()
    (tmp_path / "sites/one.caddy").write_text("imported.example {\n\tredir https://x{uri}\n}\n")
    (tmp_path / "Caddyfile").write_text(CADDYFILE)
    command = [str(caddy_program), "adapt", "--adapter", "caddyfile", "--config", str(tmp_path / "Caddyfile")]
    told: set[tuple[str, str]] = set()
    servers = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)["apps"]["http"]["servers"]
    for server in servers.values():
        for route in server["routes"]:
            names = [name for match in route.get("match", [{}]) for name in match.get("host", [""])]
            told |= {(socket, name) for socket in server["listen"] for name in names}

    loaded = tree.load(Host(), tmp_path / "Caddyfile", {})
    assert loaded.problems == ()
    read: set[tuple[str, str]] = set()
    for block in reading.parse(loaded).servers:
        written = {"plain.example", "bound.example"} & set(block.names)
        if block.listens[0].port == 80 and not written:
            # A redirect, which Caddy makes only once it runs.
            continue
        for listen in block.listens:
            host = {"0.0.0.0": "", "::": ""}.get(listen.address, listen.address)
            socket = f"[{host}]:{listen.port}" if ":" in host else f"{host}:{listen.port}"
            read |= {(socket, name) for name in block.names or ("",)}
    assert read == told
