"""A place to run ``install.sh`` in, and small programs for it to install or to find."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
SCRIPT = CHECKOUT / "install.sh"
TELLS = """
import os, sys
def main():
    if sys.argv[1:] != ["--help"]:
        print("version", VERSION, "arguments", sys.argv[1:], "terminal", [os.isatty(fd) for fd in (0, 1, 2)])
"""
PROGRAMS = ("cat", "date", "dirname", "env", "id", "mkdir", "readlink", "rm", "rmdir", "sh", "tail")


@dataclass(frozen=True)
class Machine:
    """Where the script runs: a prefix, a directory for the command, an environment."""

    directory: Path
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def prefix(self) -> Path:
        """Where the environments go."""
        return self.directory / "opt"

    @property
    def command(self) -> Path:
        """The command that people call."""
        return self.directory / "bin/palpo-installer"

    def variables(self, source: Path | None) -> dict[str, str]:
        """Return the environment of a run."""
        own = {
            "PATH": f"{sys.base_prefix}/bin:/usr/bin:/bin",
            "PALPO_INSTALLER_PREFIX": str(self.prefix),
            "PALPO_INSTALLER_BIN": str(self.command.parent),
            "PALPO_INSTALLER_SOURCE": str(source or ""),
            "PIP_NO_INDEX": "1",
        }
        return own | dict(self.environment)

    def install(self, source: Path | None, *arguments: str, script: Path = SCRIPT) -> subprocess.CompletedProcess[str]:
        """Run the script without a terminal."""
        return subprocess.run(
            ["sh", str(script), *arguments],
            check=False,
            env=self.variables(source),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            start_new_session=True,
        )

    def environments(self) -> list[Path]:
        """Return the environments that are there, oldest first."""
        return sorted(path for path in self.prefix.glob("*Z-*") if path.is_dir())


def wheel(directory: Path, version: str, program: str = TELLS) -> Path:
    """Make a wheel of palpo-installer that needs nothing and tells how it was called."""
    path = directory / f"palpo_installer-{version}-py3-none-any.whl"
    about = f"palpo_installer-{version}.dist-info"
    files = {
        "palpo_installer.py": f"VERSION = {version!r}\n{program}",
        f"{about}/METADATA": f"Metadata-Version: 2.1\nName: palpo-installer\nVersion: {version}\n",
        f"{about}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{about}/entry_points.txt": "[console_scripts]\npalpo-installer = palpo_installer:main\n",
    }
    files[f"{about}/RECORD"] = "".join(f"{name},,\n" for name in [*files, f"{about}/RECORD"])
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return path


def said(machine: Machine, *arguments: str) -> str:
    """Return what the installed command prints."""
    return subprocess.run([machine.command, *arguments], check=True, capture_output=True, text=True).stdout


def programs(directory: Path, **scripts: str) -> str:
    """Return a PATH with the script's basic programs and these shell scripts only."""
    directory.mkdir()
    for name in PROGRAMS:
        (directory / name).symlink_to(
            next(path for path in (Path("/usr/bin"), Path("/bin")) if (path / name).exists()) / name
        )
    for name, text in scripts.items():
        path = directory / name.replace("_", "-")
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
    return str(directory)
