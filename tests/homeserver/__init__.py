"""Tests of Palpo's side."""
