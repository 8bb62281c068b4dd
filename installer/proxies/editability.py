"""Whether a line may be added to a file: not where another program writes it again, nor where it cannot be replaced."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

from palpo_installer.errors import HostError
from palpo_installer.host import Command, Host
from palpo_installer.services import QUICK

HEADING = 20
"""How many lines at the beginning may say who writes a file."""

CLAIM = re.compile(
    r"\bmanaged by\s+(?P<manager>[\w.-]+)"
    r"|^\W*(?:this .{0,60})?generated (?:automatically )?by\s+(?P<generator>[\w.-]+)"
    r"|\bdo(?: not|n'?t) (?:edit|modify|change|touch)\b|\bauto(?:matically)?[- ]?generated\b"
    r"|\b(?:changes|edits|modifications)\b.{0,40}\b(?:lost|overwritten)\b"
    r"|\bwill be overwritten\b|\bansible[ _]managed\b",
    re.IGNORECASE,
)
"""What programs write at the beginning of files that they write again."""

ONCE = re.compile(r"certbot|nginxconfig|hand\b|me\b", re.IGNORECASE)
"""Whose claims say nothing: certbot marks single lines in files of people, a form on a web page writes once."""

PLACES = (
    ("/etc/nginx/plesk.conf.d/|/var/www/vhosts/system/", "Plesk"),
    ("/etc/nginx/conf.d/users/|/etc/nginx/ea-nginx", "cPanel"),
    ("/home/[^/]+/conf/web/|/usr/local/hestia/", "HestiaCP"),
    ("/usr/local/vesta/", "VestaCP"),
    ("/usr/local/directadmin/", "DirectAdmin"),
    ("/www/server/panel/", "aaPanel"),
    ("/data/nginx/(?:proxy|redirection|dead|default)_host/", "Nginx Proxy Manager"),
    (r"/etc/nginx/conf.d/[^/]+\.d/", "YunoHost"),
    ("/var/opt/gitlab/", "GitLab"),
    ("/nix/store/", "NixOS"),
    ("/gnu/store/", "Guix"),
    ("/usr/(?:share|lib)/", "the package manager"),
    ("/run/|/var/run/|/tmp/", "a program that makes it anew at each start"),
)
"""Where such programs keep their files: regular expressions for the beginning of a path."""

PROGRAMS = (
    ("ISPConfig", "ISPConfig"),
    (r"Hestia(?:CP)?", "HestiaCP"),
    ("VestaCP", "VestaCP"),
    ("Plesk", "Plesk"),
    ("cPanel", "cPanel"),
    ("CloudPanel", "CloudPanel"),
    ("docker-gen|nginx-proxy/nginx-proxy", "docker-gen"),
    ("Nginx Proxy Manager", "Nginx Proxy Manager"),
    ("YunoHost|sub_path_only", "YunoHost"),
    ("RunCloud", "RunCloud"),
    ("FORGE CONFIG", "Laravel Forge"),
    ("Mail-in-a-Box", "Mail-in-a-Box"),
)
"""Names in the comments at the beginning that stand for such a program."""


def written_by(path: Path, data: bytes) -> str:
    """Return which program writes a file again and again, as path and heading tell; empty where none seems to.

    Args:
        path: the file itself, not a link to it, as on the host.
        data: its bytes.
    """
    by_place = next((program for place, program in PLACES if re.match(place, str(path))), "")
    return by_place or next(filter(None, map(_claimed, _heading(data))), "")


def _heading(data: bytes) -> list[str]:
    """Return the comments at the beginning that have a line of their own."""
    lines = data.decode("utf-8", errors="replace").splitlines()[:HEADING]
    return [line.strip() for line in lines if line.lstrip().startswith("#")]


def _claimed(comment: str) -> str:
    """Return the program that a comment says writes the file, empty where it says nothing like that."""
    for sign, program in PROGRAMS:
        if re.search(rf"(?<!\w)(?:{sign})(?!\w)", comment, re.IGNORECASE):
            return program
    claim = CLAIM.search(comment)
    if claim is None:
        return ""
    name = claim["manager"] or claim["generator"] or ""
    return "" if ONCE.match(name) else name.rstrip(".") or "another program"


def uneditable(host: Host, path: Path) -> str:
    """Return why a line must not, or cannot, be added to a file; empty where it can.

    A link, as in ``sites-enabled``, stands for the file that it leads to.
    """
    real, root = path.resolve(), host.layout.root.resolve()
    if not real.is_relative_to(root):
        return f"it leads to {real}, outside of {root}"
    try:
        data = host.read(real)
    except HostError as error:
        return error.what
    if data is None:
        return "it is not there"
    program = written_by(Path("/") / real.relative_to(root), data)
    if program:
        return f"{program} writes it, and a line added to it would be lost"
    return _irreplaceable(host, real)


def _irreplaceable(host: Host, path: Path) -> str:
    """Return why a new file cannot take a file's place, empty where it can."""
    status = host.status(path)
    if status is None or not stat.S_ISREG(status.st_mode):
        return "it is no regular file"
    if status.st_nlink > 1:
        return f"it has {status.st_nlink} names (hard links), and the others would keep the old contents"
    if os.statvfs(path).f_flag & os.ST_RDONLY:
        return "its file system is read-only"
    if str(path) in _mounted(host):
        return "it is mounted there by itself (a bind mount), and cannot be replaced"
    for each in (path, path.parent):
        if sign := _protected(host, each):
            return f"{each} is protected by the attribute {sign} (lsattr)"
    return ""


def _mounted(host: Host) -> set[str]:
    """Return the mount points of this mount namespace (proc(5), ``/proc/pid/mountinfo``)."""
    lines = (host.text(Path("/proc/self/mountinfo")) or "").splitlines()
    points = (line.split()[4] for line in lines if len(line.split()) > 4)
    return {re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), point) for point in points}


def _protected(host: Host, path: Path) -> str:
    """Return ``i`` or ``a`` where a path is immutable or can only grow (chattr(1)); empty where lsattr cannot say."""
    if host.which("lsattr") is None:
        return ""
    said = host.run(Command(("lsattr", "-d", "--", str(path)), timeout=QUICK))
    attributes = said.stdout.split()[0] if said.status == 0 and said.stdout else ""
    return next((sign for sign in "ia" if sign in attributes), "")
