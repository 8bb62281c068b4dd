"""The kinds of operation: what a plan is made of."""
