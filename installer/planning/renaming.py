"""Another server name than the one in force: refused, unless the person agreed to what is lost."""

from __future__ import annotations

import tomllib

from palpo_installer.errors import AnotherServerName
from palpo_installer.homeserver.reading import look_up, values
from palpo_installer.homeserver.settings import PLACEHOLDER_NAME
from palpo_installer.operations.files import WriteFile
from palpo_installer.planning.inputs import Inputs, look


def former_name(inputs: Inputs) -> str:
    """Return the server name that these answers give up, empty where they keep the one in force.

    Raises:
        AnotherServerName: they give one up, and nobody agreed to that.
        RefusedPlan: palpo.toml cannot be read.
    """
    wanted = inputs.answers.names.server_name
    former = next((name for name in (_of_last_run(inputs), _of_palpo(inputs)) if name not in ("", wanted)), "")
    if former and not inputs.renaming:
        raise AnotherServerName(former, wanted)
    return former


def lost(former: str, wanted: str) -> tuple[str, ...]:
    """Return what another server name costs, one sentence each."""
    return (
        f"The server name {former} is given up for {wanted}. For other servers {wanted} is a new server.",
        f"Lost: every account @user:{former}, every room as seen from it, and what other servers know of {former}.",
        f"{wanted} gets a signing key of its own; the one of {former} stays under its name, for a way back.",
        f"Palpo's database belongs to {former}: give {wanted} an empty one, in homeserver.database_url.",
    )


def _of_last_run(inputs: Inputs) -> str:
    """Return the name in the answers of the last run, whatever somebody wrote into their file since."""
    last = inputs.written.get(str(inputs.layout.answers))
    text = last.pure.shown if isinstance(last, WriteFile) else _saved(inputs)
    try:
        return str(look_up(tomllib.loads(text), ("names", "server_name")) or "")
    except tomllib.TOMLDecodeError:
        return ""


def _saved(inputs: Inputs) -> str:
    """Return the saved answers, where a run of another version wrote them."""
    path = inputs.layout.answers
    return (inputs.host.text(path) or "") if str(path) in inputs.ours else ""


def _of_palpo(inputs: Inputs) -> str:
    """Return the name in palpo.toml."""
    path = inputs.answers.homeserver.config
    name = values(inputs.host.read(path)).get("server_name", "") if look(path).kind == "file" else ""
    return "" if name == PLACEHOLDER_NAME else str(name)
