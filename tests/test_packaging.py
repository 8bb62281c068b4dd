"""The package as it ships: three links make one import name, the wheel holds all of it, the core stays light."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = {"installer": "", "screens": "screens", "templates": "templates"}
# Imports everything below the package but what is named, and prints which of the heavy ones that loaded.
IMPORTS = """
import importlib, pkgutil, sys

def load(package):
    for found in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
        if found.name not in sys.argv[1:]:
            module = importlib.import_module(found.name)
            if found.ispkg:
                load(module)

load(importlib.import_module("palpo_installer"))
assert len(sys.modules.keys() & {"palpo_installer.site", "palpo_installer.facts.listeners"}) == 2
print(*sorted({name.partition(".")[0] for name in sys.modules} & {"textual", "certbot", "rich"}))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel that pip builds from this checkout."""
    directory = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(directory), str(ROOT)]
    subprocess.run(build, check=True)
    return next(directory.glob("palpo_installer-*.whl"))


def shipped() -> set[str]:
    """Return the files of the three folders, by their place in the package."""
    return {
        str(Path("palpo_installer", place, path.relative_to(ROOT / folder)))
        for folder, place in FOLDERS.items()
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }


@pytest.mark.parametrize(
    ("link", "folder"),
    [
        ("palpo_installer", "installer"),
        ("palpo_installer/screens", "screens"),
        ("palpo_installer/templates", "templates"),
    ],
)
def test_link(link: str, folder: str) -> None:
    """Each link leads to its folder; one that became a text file would ship a package with parts missing."""
    assert (ROOT / link).resolve() == ROOT / folder


def test_the_wheel_holds_every_file(wheel: Path) -> None:
    """Modules, screens with their styles, templates and data are all in the wheel, and nothing else is."""
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert names == shipped()
    assert {"palpo_installer/cli.py", "palpo_installer/screens/__init__.py"} <= names


def test_the_wheel_runs_from_anywhere(wheel: Path, tmp_path: Path) -> None:
    """Installed into a bare environment the command runs from /, with the wheel's own modules."""
    bare = tmp_path / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(bare)], check=True)
    python = f"{bare}/bin/python"
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", str(wheel)], check=True
    )
    # The dependencies come from the environment of the tests, in which palpo_installer itself is a mere link.
    site_packages = next(path for path in sys.path if path.endswith("site-packages"))
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": site_packages}

    def output(*argv: str) -> str:
        return subprocess.run(argv, check=True, cwd="/", env=environment, capture_output=True, text=True).stdout

    assert output(f"{bare}/bin/palpo-installer", "--help").startswith("Usage: palpo-installer")
    where = output(python, "-c", "import palpo_installer; print(palpo_installer.__file__)")
    assert Path(where).is_relative_to(bare)


def imported() -> set[str]:
    """Return the top-level names that the package imports, at run time or lazily, but Python's own and its own."""
    found: set[str] = set()
    for path in (path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found |= {name.name.partition(".")[0] for name in node.names}
            elif isinstance(node, ast.ImportFrom):
                found.add((node.module or "").partition(".")[0])
    return found - sys.stdlib_module_names - {"palpo_installer"}


def test_every_import_is_a_declared_dependency() -> None:
    """What the tests have installed besides must not hide a dependency that users would lack."""
    declared = {
        canonicalize_name(Requirement(line).name)
        for line in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    }
    origins = packages_distributions()
    undeclared = {
        name for name in imported() if not {canonicalize_name(origin) for origin in origins.get(name, [])} & declared
    }
    assert undeclared == set()


def test_the_core_loads_neither_the_wizard_nor_certbot() -> None:
    """With every module but the screens imported, a command still has not paid for Textual or certbot."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    certbot = next(contract for contract in contracts if contract["forbidden_modules"] == ["certbot"])
    allowed = [pair.partition(" -> ")[0] for pair in certbot["ignore_imports"]]
    left_out = ["palpo_installer.screens", "palpo_installer.__main__", *allowed]
    loaded = subprocess.run(
        [sys.executable, "-c", IMPORTS, *left_out], check=True, cwd=ROOT, capture_output=True, text=True
    )
    assert loaded.stdout.split() == []
