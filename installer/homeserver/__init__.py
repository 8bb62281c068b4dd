"""Palpo's side: palpo.toml, the signing key, and what may stand in the file."""
