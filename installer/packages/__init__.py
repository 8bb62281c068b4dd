"""Proxies as packages of the distribution: installing one before a plan, and purging it after an uninstall."""
