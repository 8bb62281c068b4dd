"""The wizard's screens: they get values, show them and return a value."""
