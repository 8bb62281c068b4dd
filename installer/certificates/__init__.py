"""Certificates: where they lie, how they are ordered and renewed, and what keeps an order from being wasted."""
