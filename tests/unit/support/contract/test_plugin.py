"""The contract plugin, run on small suites of its own."""

import pytest

from tests.support.contract import page as contract_page
from tests.support.paths import ROOT

ITEMS = """
[C]
title = "Native"
source = "002"

[C.items]
C1 = "a key"
C2 = "generate|paint"
C3 = "a third"
"""

PASSES = """
import pytest

@pytest.mark.contract("C1")
def test_one(): pass
"""


@pytest.fixture
def suite(pytester, monkeypatch):
    """A suite with a contract of three numbers and no tests yet."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makefile(".toml", items=ITEMS)
    pytester.makeini("[pytest]\ncontract_items = items.toml\ncontract_page = contract.md\n")
    pytester.makeconftest('pytest_plugins = ["tests.support.contract.plugin"]')
    return pytester


def run(suite, *arguments):
    return suite.runpytest_inprocess("-p", "no:cacheprovider", *arguments)


def page(suite) -> str:
    return (suite.path / "contract.md").read_text()


def test_a_number_works_once_a_test_that_carries_it_has_passed(suite):
    suite.makepyfile(PASSES)
    assert 0 == run(suite, "--write-contract").ret
    assert "| C1 | a key | works |" in page(suite)
    assert "| C3 | a third | not yet |" in page(suite)
    assert "1 of 3 work." in page(suite)


@pytest.mark.long
def test_tests_in_several_processes_count_as_those_in_one(suite):
    suite.makepyfile(test_one=PASSES, test_three=PASSES.replace("C1", "C3"))
    in_two = ("-p", "xdist", "-n", "2")
    assert 0 == run(suite, *in_two, "--write-contract").ret
    assert "2 of 3 work." in page(suite)
    assert 0 == run(suite, *in_two).ret
    assert 0 == run(suite).ret


def test_a_full_run_accepts_the_page_it_would_write(suite):
    suite.makepyfile(PASSES)
    run(suite, "--write-contract")
    assert 0 == run(suite).ret


def test_full_run_fails_and_shows_what_is_out_of_date(suite):
    suite.makepyfile(PASSES)
    run(suite, "--write-contract")
    suite.makepyfile(PASSES.replace("C1", "C2"))
    result = run(suite)
    assert 1 == result.ret
    result.stdout.fnmatch_lines(["*contract.md is out of date*", "-| C1 | a key | works |"])
    result.stdout.fnmatch_lines(["+| C2 | generate* works |"])


def test_a_missing_page_is_out_of_date(suite):
    suite.makepyfile(PASSES)
    assert 1 == run(suite).ret


@pytest.mark.parametrize("body", ["pytest.skip('no')", "assert False", "pytest.xfail('known')"])
def test_skips_failures_and_expected_failures_do_not_count(suite, body):
    suite.makepyfile(PASSES.replace("pass", body))
    run(suite, "--write-contract")
    assert "| C1 | a key | not yet |" in page(suite)


def test_an_error_while_tearing_down_takes_it_away(suite):
    fixture = "@pytest.fixture\ndef bad():\n    yield\n    raise RuntimeError\n\n"
    suite.makepyfile(PASSES.replace("@pytest", fixture + "@pytest", 1).replace("test_one()", "test_one(bad)"))
    run(suite, "--write-contract")
    assert "| C1 | a key | not yet |" in page(suite)


def test_one_failure_among_several_tests_takes_it_away(suite):
    suite.makepyfile(PASSES + '\n@pytest.mark.contract("C1", "C3")\ndef test_two(): assert False\n')
    run(suite, "--write-contract")
    assert "| C1 | a key | not yet |" in page(suite)
    assert "| C3 | a third | not yet |" in page(suite)


def test_an_unknown_number_stops_every_run(suite):
    suite.makepyfile(test_it=PASSES.replace("C1", "C99"))
    result = run(suite, "test_it.py")
    assert pytest.ExitCode.USAGE_ERROR == result.ret
    result.stderr.fnmatch_lines(["*test_it.py::test_one: the contract has no number C99*"])


@pytest.mark.parametrize("part", [["test_it.py"], ["-k", "one"], ["-m", "contract"], ["--deselect", "x"]])
def test_a_partial_run_neither_checks_nor_writes(suite, part):
    suite.makepyfile(test_it=PASSES)
    assert 0 == run(suite, *part).ret
    refused = run(suite, "--write-contract", *part)
    assert 1 == refused.ret
    refused.stdout.fnmatch_lines(["*--write-contract needs a full run*"])
    assert not (suite.path / "contract.md").exists()


def test_a_run_that_stops_early_is_not_held_against_the_page(suite):
    suite.makepyfile(PASSES + "\ndef test_a(): assert False\ndef test_z(): pass\n")
    result = run(suite, "-x")
    assert "out of date" not in result.stdout.str()


def test_bars_in_a_text_do_not_break_the_table():
    surfaces = {"C": {"title": "t", "source": "s", "items": {"C2": "generate|paint"}}}
    assert "| C2 | generate\\|paint | not yet |" in contract_page.render(surfaces, set())


def test_the_contract_is_whole(request):
    surfaces = contract_page.read_surfaces(ROOT / "tests" / "support" / "contract" / "items.toml")
    expected = {"A": 100, "B": 71, "C": 48, "D": 46, "E": 15, "F": 47}
    assert expected == {letter: len(surface["items"]) for letter, surface in surfaces.items()}
    for letter, surface in surfaces.items():
        assert [f"{letter}{n}" for n in range(1, expected[letter] + 1)] == list(surface["items"])
