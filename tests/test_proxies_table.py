"""The README claims of each proxy what a test shows, and nothing else."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from palpo_installer.questions.support import SUPPORTED
from tests import proxies_table
from tests.lab.conformance.rows import PROMISES, ROWS
from tests.proxies_table import CLAIMS, README, SUITE

CHECKOUT = README.parent


def test_the_readme_has_the_table_of_now() -> None:
    """After a change of a claim or of a row: ``python -m tests.proxies_table``."""
    text = README.read_text(encoding="utf-8")
    assert proxies_table.written(text) == text


def test_every_proxy_that_is_offered_is_in_the_suite() -> None:
    """And in the table by that."""
    assert {row.kind for row in ROWS} == SUPPORTED["proxy.kind"]


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.what)
def test_each_claim_names_tests_that_are_there(claim: proxies_table.Claim) -> None:
    """Each is a function of its file, and one that is not in the suite uses the proxy that it is named for."""
    for kind, test in claim.tests.items():
        file, _, name = test.partition("::")
        source = (CHECKOUT / file).read_text(encoding="utf-8")
        functions = {node.name for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)}
        assert name in functions
        assert file.startswith((SUITE, "tests/benchmarks")) or kind in source.lower()


def test_each_deviation_is_of_a_promise_in_the_table() -> None:
    """So that its reason is told there."""
    told = {claim.promise for claim in CLAIMS}
    for row in ROWS:
        assert set(row.deviations) <= told & set(PROMISES)


def test_each_test_of_the_suite_is_in_the_way_of_every_row() -> None:
    """A test of the suite takes the applied site, or the row, whose parameters are all the rows."""
    for path in sorted(Path(CHECKOUT / SUITE).glob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                assert {argument.arg for argument in node.args.args} & {"served", "row"}, node.name
