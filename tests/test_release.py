"""The release script's own rules; what it makes is installed on real hosts in tests/lab/test_one_line.py."""

from __future__ import annotations

import hashlib
import io
import tarfile
import zipfile
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType

import pytest

from tests.script_machine import CHECKOUT, SCRIPT


@pytest.fixture(scope="module")
def release() -> ModuleType:
    """The script as a module."""
    spec = spec_from_loader("release", SourceFileLoader("release", str(CHECKOUT / ".ci/release")))
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def wheel(directory: Path, name: str, *needs: str) -> Path:
    """Make a wheel that says what it needs."""
    path = directory / f"{name}-1.0-py3-none-any.whl"
    needed = "".join(f"Requires-Dist: {need}\n" for need in needs)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{name}-1.0.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\n{needed}")
    return path


@pytest.mark.parametrize(
    ("need", "missing"),
    [
        ("other>=1", True),
        ("other; python_version >= '3.13'", True),
        ("other; python_version < '3.13'", False),
        ("other; sys_platform == 'win32'", False),
        ("other; extra == 'dev'", False),
        ("A.needed-One", False),
    ],
)
def test_what_the_target_needs_must_be_there(release: ModuleType, tmp_path: Path, need: str, *, missing: bool) -> None:
    """Conditions are those of the Python that installs, not of the one that the script runs on."""
    wheels = [wheel(tmp_path, "first", need), wheel(tmp_path, "a_needed_one")]
    if not missing:
        release.require_complete(wheels, 13, "x86_64")
        return
    with pytest.raises(SystemExit, match=r"first-1\.0.* needs other.* on Python 3\.13"):
        release.require_complete(wheels, 13, "x86_64")


def test_each_wheel_is_pinned_by_its_hash(release: ModuleType, tmp_path: Path) -> None:
    """But pip, which installs the others and is not installed."""
    one = wheel(tmp_path, "Some_Thing")
    digest = hashlib.sha256(one.read_bytes()).hexdigest()
    assert release.pin(one) == f"some-thing==1.0 --hash=sha256:{digest}\n"
    assert release.pin(wheel(tmp_path, "pip")) == ""


def test_the_same_files_make_the_same_archive(release: ModuleType, tmp_path: Path) -> None:
    """Whenever, and by whomever, it is made."""
    path = wheel(tmp_path, "thing")
    first = release.archive([path])
    path.touch()
    path.chmod(0o600)
    assert release.archive([path]) == first
    with tarfile.open(fileobj=io.BytesIO(first)) as archive:
        assert archive.getnames() == [path.name]


def test_the_script_has_the_place_that_a_release_fills(release: ModuleType) -> None:
    """Exactly one, and a checkout's own copy names no address and no bundle."""
    assert SCRIPT.read_text().count(release.EMPTY) == 1
