"""Apache."""
