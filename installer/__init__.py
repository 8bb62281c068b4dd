"""Puts a Palpo Matrix homeserver behind a host's reverse proxy."""

__version__ = "0.1.0"
