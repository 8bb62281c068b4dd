from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from palpo_installer.proxies.nginx.build import parse


def test_a_distributions_build_is_read() -> None:
    """Quoted compiler options with dashes in them are no modules."""
    build = parse(
        "nginx version: nginx/1.20.1\nTLS SNI support enabled\nconfigure arguments: --prefix=/usr/share/nginx "
        "--conf-path=/etc/nginx/nginx.conf --error-log-path=/var/log/nginx/error.log --pid-path=/run/nginx.pid "
        "--user=nginx --with-http_v2_module --with-stream=dynamic --with-cc-opt='-O2 --with-nonsense' "
        "--with-ld-opt='-Wl,-E'\n"
    )
    assert build is not None
    assert (build.version, build.modules) == ((1, 20, 1), ("http_v2_module", "stream=dynamic"))
    assert (build.prefix, build.configuration) == (Path("/usr/share/nginx"), Path("/etc/nginx/nginx.conf"))
    assert (build.pid, build.error_log, build.user) == ("/run/nginx.pid", "/var/log/nginx/error.log", "nginx")


def test_a_build_without_options_has_nginxs_own_defaults() -> None:
    """Source: auto/options in nginx; the paths are relative to the prefix in use."""
    build = parse("nginx version: nginx/1.27.0\nconfigure arguments:\n")
    assert build is not None
    assert (build.prefix, build.configuration) == (Path("/usr/local/nginx"), Path("conf/nginx.conf"))
    assert (build.pid, build.error_log, build.user) == ("logs/nginx.pid", "logs/error.log", "nobody")


@pytest.mark.parametrize("name", ["nginx/1.25.3 (Ubuntu)", "openresty/1.25.3.2"])
def test_relatives_of_nginx_tell_their_version_alike(name: str) -> None:
    """A fourth number and the distribution's remark are left out."""
    build = parse(f"nginx version: {name}\nconfigure arguments: --with-ld-opt='unclosed\n")
    assert build is not None
    assert (build.version, build.modules) == ((1, 25, 3), ())


def test_another_program_is_not_nginx() -> None:
    """Nothing is guessed from a text that names no version of nginx."""
    assert parse("Server version: Apache/2.4.57 (Debian)\n") is None
    assert parse("") is None


def test_the_installed_nginx_is_understood() -> None:
    """The text of a real program."""
    program = shutil.which("nginx", path="/usr/sbin:/usr/bin")
    assert program, "nginx is missing: apt-get install nginx"
    said = subprocess.run([program, "-V"], capture_output=True, text=True, check=True).stderr
    build = parse(said)
    assert build is not None
    assert f"nginx/{'.'.join(map(str, build.version))}" in said
    assert "http_ssl_module" in build.modules
    assert build.configuration == Path("/etc/nginx/nginx.conf")
