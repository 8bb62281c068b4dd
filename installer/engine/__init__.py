"""The run: journal, apply, take back, recover, history, events."""
