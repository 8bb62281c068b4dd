"""The audit: what the Matrix configuration that is already there will break, with file, line and cure."""
