"""Lines of ours in somebody else's files, when everything is taken back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from palpo_installer.operations.lines import EditLines
from palpo_installer.planning.inputs import Inputs
from palpo_installer.planning.removal_of_lines import lines
from palpo_installer.planning.scene import Scene
from palpo_installer.planning.traces import Traces
from palpo_installer.proxies.found import ReadFile
from tests.planning.made import inputs_on

GUEST = Path("/etc/nginx/palpo-installer/example.com-443.conf")
LINE = f"include {GUEST.parent}/example.com-443.con[f];"


@pytest.fixture
def inputs(tmp_path: Path) -> Inputs:
    """A recorded host on which nothing was applied yet."""
    return inputs_on(tmp_path)


def scene_with(inputs: Inputs, text: str) -> tuple[Path, Scene]:
    """Return a site's file, to which nginx comes through a link, and a scene where nobody edited it."""
    file, named = (inputs.layout.root / f"etc/nginx/sites-{each}/www" for each in ("available", "enabled"))
    for path in (file, named):
        path.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    named.symlink_to(file)
    assert inputs.facts.nginx is not None
    nginx = replace(inputs.facts.nginx, files=(*inputs.facts.nginx.files, ReadFile(named, "")))
    return file, Scene(inputs.host, replace(inputs.facts, nginx=nginx), Traces(), 1, None, {str(GUEST): "digest"})


def test_a_line_is_found_wherever_nginx_reads_it(inputs: Inputs) -> None:
    """Its owner renamed the file, or added the line: it is taken out of the file behind the link, and nothing else."""
    file, scene = scene_with(inputs, f"server {{\n    {LINE} # moved here\n}}\n")
    way = lines((), scene)
    (edit,) = (operation for _, operation in way.operations)
    assert isinstance(edit, EditLines)
    assert (edit.path, edit.add, edit.drop) == (file, (), (LINE,))
    assert way.stays == ()


def test_a_line_in_a_file_that_we_must_not_touch_is_told(inputs: Inputs) -> None:
    """With the file, and why."""
    file, scene = scene_with(inputs, f"# Ansible managed\nserver {{\n    {LINE}\n}}\n")
    way = lines((), scene)
    assert way.operations == ()
    (left,) = way.stays
    assert left.subject == str(file)
    assert LINE in left.reason
