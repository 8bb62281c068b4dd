"""One suite for every proxy: the same promises, tried on the real programs."""
