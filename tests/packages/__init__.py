"""Tests of proxies as packages."""
