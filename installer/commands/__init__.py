"""The commands, thin over the engine."""
