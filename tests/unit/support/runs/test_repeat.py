"""What CI says of a run and its repeat, on small suites of their own."""

import pytest

from tests.support.runs.repeat import run_with_repeat

ITEMS = """
[C]
title = "Native"
source = "002"

[C.items]
C1 = "a key"
C2 = "another"
"""

FLAKY = """
from pathlib import Path
import pytest

@pytest.mark.contract("C1")
def test_flaky():
    seen = Path(__file__).with_suffix(".seen")
    before = seen.exists()
    seen.touch()
    assert before

def test_fine(): pass
"""

FINE = """
import pytest

@pytest.mark.contract("C1")
def test_one(): pass
"""


@pytest.fixture
def suite(pytester, monkeypatch):
    """A suite with a contract of which C1 works; its run is repeated in this process."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    pytester.makefile(".toml", items=ITEMS)
    pytester.makeini("[pytest]\ncontract_items = items.toml\ncontract_page = contract.md\n")
    pytester.makeconftest('pytest_plugins = ["tests.support.contract.plugin"]')
    pytester.makepyfile(test_page=FINE)
    pytester.runpytest_inprocess("--write-contract", "-p", "no:cacheprovider")
    (pytester.path / "test_page.py").unlink()
    return pytester


def judged(suite, tmp_path, *arguments):
    runs = []

    def run(given):
        runs.append(given)
        return suite.runpytest_inprocess(*given).ret

    verdict = run_with_repeat(run, arguments, tmp_path)
    return verdict, len(runs)


@pytest.mark.parametrize("arguments", [[], ["-p", "xdist", "-n", "2"]])
def test_once_failed_is_flaky_and_green(suite, tmp_path, arguments):
    suite.makepyfile(test_it=FLAKY)
    before = {path for path in suite.path.rglob("*") if "__pycache__" not in path.parts}
    verdict, runs = judged(suite, tmp_path, *arguments)
    assert (True, 2, ("test_it.py::test_flaky",)) == (verdict.green, runs, verdict.flaky)
    assert str(verdict).startswith("flaky: test_it.py::test_flaky\n")
    after = {path for path in suite.path.rglob("*") if "__pycache__" not in path.parts}
    assert {"test_it.seen"} == {path.name for path in after - before}


def test_nothing_failed_is_green_without_a_repeat(suite, tmp_path):
    suite.makepyfile(test_it=FINE)
    verdict, runs = judged(suite, tmp_path)
    assert (True, 1, ()) == (verdict.green, runs, verdict.flaky)


def test_failed_twice_is_red(suite, tmp_path):
    suite.makepyfile(test_it=FLAKY, test_bad="def test_bad(): assert False")
    verdict, runs = judged(suite, tmp_path)
    assert (False, 2) == (verdict.green, runs)
    assert (("test_it.py::test_flaky",), ("test_bad.py::test_bad",)) == (verdict.flaky, verdict.failed)


def test_four_failed_are_red_without_a_repeat(suite, tmp_path):
    suite.makepyfile(test_it="import pytest\n@pytest.mark.parametrize('n', range(4))\ndef test_bad(n): assert False")
    verdict, runs = judged(suite, tmp_path)
    assert (False, 1, 4) == (verdict.green, runs, len(verdict.failed))


def test_outdated_page_without_a_failure_is_red_at_once(suite, tmp_path):
    suite.makepyfile(test_it=FINE.replace("C1", "C2"))
    verdict, runs = judged(suite, tmp_path)
    assert (False, 1) == (verdict.green, runs)


def test_outdated_page_is_red_after_the_repeat(suite, tmp_path):
    suite.makepyfile(test_it=FLAKY, test_more=FINE.replace("C1", "C2"))
    verdict, runs = judged(suite, tmp_path)
    assert (False, 2) == (verdict.green, runs)
    assert "the repeat ended with exit code 1" in verdict.reason


def test_page_without_a_number_that_failed_once_is_red(suite, tmp_path):
    (suite.path / "contract.md").unlink()
    suite.makepyfile(test_it=FLAKY)
    verdict, runs = judged(suite, tmp_path)
    assert (False, 2) == (verdict.green, runs)


def test_part_of_the_suite_is_repeated_without_the_page(suite, tmp_path):
    suite.makepyfile(test_it=FLAKY, test_more=FINE.replace("C1", "C2"))
    verdict, runs = judged(suite, tmp_path, "test_it.py")
    assert (True, 2) == (verdict.green, runs)


def test_error_in_a_fixture_is_repeated(suite, tmp_path):
    fixture = FLAKY.replace("def test_flaky", "@pytest.fixture\ndef bad").replace('@pytest.mark.contract("C1")\n', "")
    suite.makepyfile(test_it=fixture + '\n@pytest.mark.contract("C1")\ndef test_flaky(bad): pass')
    verdict, runs = judged(suite, tmp_path)
    assert (True, 2, ("test_it.py::test_flaky",)) == (verdict.green, runs, verdict.flaky)


def test_skipped_in_the_repeat_is_red(suite, tmp_path):
    suite.makepyfile(test_it=FLAKY.replace("assert before", "before and pytest.skip()\n    assert before"))
    verdict, runs = judged(suite, tmp_path)
    assert (False, 2) == (verdict.green, runs)


@pytest.mark.matrix
@pytest.mark.parametrize("arguments", [[], ["-p", "xdist", "-n", "2"]])
def test_file_that_cannot_be_collected_is_red(suite, tmp_path, arguments):
    suite.makepyfile(test_it=FINE, test_broken="import nothing_of_that_name")
    verdict, runs = judged(suite, tmp_path, *arguments)
    assert (False, 1) == (verdict.green, runs)


@pytest.mark.matrix
@pytest.mark.parametrize("arguments", [[], ["-p", "xdist", "-n", "2"]])
def test_internal_error_of_pytest_is_red(suite, tmp_path, arguments):
    suite.makepyfile(test_it=FLAKY)
    with (suite.path / "conftest.py").open("a") as conftest:
        conftest.write("\ndef pytest_runtest_protocol(): raise RuntimeError\n")
    verdict, runs = judged(suite, tmp_path, *arguments)
    assert (False, 1) == (verdict.green, runs)
    # With all its processes broken, xdist sometimes ends as if it had run no test, and the page is outdated.
    assert arguments or "pytest ended with exit code 3" == verdict.reason
