"""The conversation as plain prompts and lines: for screen readers, serial lines, and terminals that cannot do more."""

from palpo_installer.plain.session import run

__all__ = ["run"]
