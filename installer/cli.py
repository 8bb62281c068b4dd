"""The commands, and the one place where errors become words and exit codes."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import click

from palpo_installer import __version__
from palpo_installer.commands.options import answers_options
from palpo_installer.commands.starting import start
from palpo_installer.errors import InstallerError
from palpo_installer.host import Host
from palpo_installer.layout import Layout

MODULES = {
    "detect": "inspecting",
    "audit": "auditing",
    "plan": "planning",
    "render": "planning",
    "rehearse": "rehearsing",
    "apply": "applying",
    "attach": "applying",
    "confirm": "applying",
    "verify": "inspecting",
    "renew": "applying",
    "demo": "demonstrating",
    "history": "inspecting",
    "rollback": "applying",
    "recover": "applying",
    "uninstall": "uninstalling",
    "run": "applying",
}
"""In which module of ``palpo_installer.commands`` each command is, in the order of the help."""


class Commands(click.Group):
    """The commands, each loaded when it is asked for: the wizard's first frame waits for none of them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names."""
        return list(MODULES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command by its name, None where there is none of that name."""
        if cmd_name not in MODULES:
            return None
        module = importlib.import_module(f"palpo_installer.commands.{MODULES[cmd_name]}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write what each command does in a whole sentence; click alone would cut it off."""
        found = ((name, self.get_command(ctx, name)) for name in self.list_commands(ctx))
        rows = [(name, each.get_short_help_str(limit=300)) for name, each in found if each and not each.hidden]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    invoke_without_command=True,
)
@click.version_option(__version__, prog_name="palpo-installer")
@click.option(
    "--root",
    type=click.Path(path_type=Path),
    default=Path("/"),
    metavar="DIR",
    help="Work on the copy of a host's files below DIR.",
)
@click.option("--plain", is_flag=True, help="Plain prompts and lines instead of the full screen.")
@answers_options
@click.pass_context
def commands(context: click.Context, root: Path, file: Path | None, settings: tuple[str, ...], *, plain: bool) -> int:
    """Put a Palpo Matrix homeserver behind this host's reverse proxy, prove it, and take it back if asked.

    Without a command it asks, shows every change, and makes them when you say yes.

    Exit codes: 0 done or nothing to do; 1 failed, everything was put back; 2 bad usage or answers; 3 changes are
    pending (plan --exit-code); 4 needs root; 5 something could not be put back; 6 a check failed (verify,
    rehearse, audit); 7 another run is at work, or waits to be confirmed.
    """
    context.obj = Host(Layout.below(root.resolve()))
    if context.invoked_subcommand is None:
        return start(context.obj, file, settings, plainly=plain)
    if plain or file or settings:
        raise click.UsageError("--plain goes without a command; --answers and --set go behind it.", context)
    return 0


def main() -> None:
    """Run ``palpo-installer``."""
    try:
        sys.exit(commands.main(standalone_mode=False))
    except click.exceptions.Abort:
        click.echo("Stopped. Nothing was changed.", err=True)
        sys.exit(2)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except InstallerError as error:
        click.echo(f"palpo-installer: {error}", err=True)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        sys.exit(0)
    except OSError as error:
        click.echo(f"palpo-installer: {error.filename or 'this host'}: {error.strerror}", err=True)
        sys.exit(1)
