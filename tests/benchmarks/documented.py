"""The configurations that the manuals of Palpo and Synapse give ("Using a reverse proxy"), beside ours in one process.

Each is as it stands there, but for the certificate, and for port 4443 in place of 443, which ours has.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tests.lab.hosts import LabHost
from tests.lab.services import NEIGHBOUR_CERTIFICATE, NEIGHBOUR_KEY

PORT = 4443

NGINX = f"""\
server {{
    listen {PORT} ssl;
    listen [::]:{PORT} ssl;
    ssl_certificate {NEIGHBOUR_CERTIFICATE};
    ssl_certificate_key {NEIGHBOUR_KEY};
    server_name matrix.example.com;

    location ~ ^(/_matrix|/_palpo/client) {{
        proxy_pass http://localhost:8008;
        proxy_set_header X-Forwarded-For $remote_addr;
        proxy_set_header X-Forwarded-Proto $scheme;
        proxy_set_header Host $host:$server_port;
        client_max_body_size 50M;
        proxy_http_version 1.1;
    }}
}}
"""


def nginx(host: LabHost) -> None:
    """One more file of sites-enabled."""
    host.write("/etc/nginx/sites-enabled/documented", NGINX)
    host.output(["nginx", "-s", "reload"])


DOCUMENTED: Mapping[str, Callable[[LabHost], None]] = {"nginx": nginx}
"""By kind of proxy: puts the documented configuration beside ours, and lets the proxy take it up."""
