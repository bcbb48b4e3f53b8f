"""A pytest plugin: `@pytest.mark.contract("C12", ...)` on a test says which numbers it shows to work.

A full run (every test, nothing deselected) fails when docs/contract.md is not what the run yields;
`--write-contract` writes it instead. A mark with an unknown number stops every run.

A full run with failed tests and `--save-contract FILE` leaves the page to the repeat of these tests: it writes to the
file what its tests showed, and `--load-contract FILE` makes the repeat judge the page from the outcomes of both.
"""

import difflib
import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.contract import page as contract_page

PROPERTY = "contract"
"""What a report calls the numbers of its test: a report may come from another process."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--write-contract", action="store_true", help="write docs/contract.md from a full run")
    parser.addoption(
        "--save-contract", type=Path, help="where a full run with failed tests writes what its tests showed"
    )
    parser.addoption("--load-contract", type=Path, help="what the run before showed, of which this one repeats tests")
    items = str(Path(__file__).with_name("items.toml"))
    parser.addini("contract_items", "the numbers and texts of the contract", type="string", default=items)
    parser.addini("contract_page", "the page they make", type="string", default="docs/contract.md")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "contract(*numbers): the numbers of the contract that this test shows")
    config.pluginmanager.register(Contract(config), "atelier-contract")


class Contract:
    """What the marked tests of one run said."""

    def __init__(self, config: pytest.Config) -> None:
        self._surfaces = contract_page.read_surfaces(Path(config.getini("contract_items")))
        self._page = config.rootpath / config.getini("contract_page")
        self._write = config.getoption("write_contract")
        self._marked: dict[str, set[str]] = {}  # test -> its numbers
        self._outcomes: defaultdict[str, set[str]] = defaultdict(set)  # test -> passed, failed, skipped
        self._partial = not _asks_for_everything(config)
        self._hand_over = hasattr(config, "workerinput")  # one of several processes: the first one does the sums
        self._complaint = ""
        self._save_to: Path | None = config.getoption("save_contract")
        self._earlier: Path | None = config.getoption("load_contract")

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        known = set(contract_page.numbers(self._surfaces))
        for item in items:
            asked = {number for mark in item.iter_markers("contract") for number in mark.args}
            if asked - known:
                unknown = ", ".join(sorted(asked - known))
                raise pytest.UsageError(f"{item.nodeid}: the contract has no number {unknown}")
            if asked:
                item.user_properties.append((PROPERTY, sorted(asked)))

    def pytest_deselected(self, items: list[pytest.Item]) -> None:
        self._partial = self._partial or bool(items)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        numbers = {number for name, marked in report.user_properties if name == PROPERTY for number in marked}
        if numbers and (report.when == "call" or not report.passed):
            self._marked[report.nodeid] = numbers
            self._outcomes[report.nodeid].add("xfail" if hasattr(report, "wasxfail") else report.outcome)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        finished = exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED) and not session.shouldfail
        if self._hand_over or session.config.option.collectonly or not finished or session.shouldstop:
            return
        if self._earlier:
            self._load(self._earlier)
        elif self._partial:
            if self._write:
                self._fail(session, "--write-contract needs a full run: no paths, no -k, no -m")
            return
        if self._save_to and session.testsfailed:
            self._save(self._save_to)
            return
        self._compare_page(session)

    def _compare_page(self, session: pytest.Session) -> None:
        page = contract_page.render(self._surfaces, self.working())
        if self._write:
            self._page.parent.mkdir(parents=True, exist_ok=True)
            self._page.write_text(page)
            return
        committed = self._page.read_text() if self._page.exists() else ""
        if page != committed:
            changes = difflib.unified_diff(committed.split("\n"), page.split("\n"), n=0, lineterm="")
            rows = "\n".join(line for line in changes if line[:3] in ("-| ", "+| "))
            self._fail(session, f"{self._page.name} is out of date; `make contract` writes it:\n{rows}")

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self._complaint:
            terminalreporter.section("contract", red=True)
            terminalreporter.write_line(self._complaint)

    def working(self) -> set[str]:
        """Numbers with at least one test that passed, and none that failed."""
        return set(self._with("passed")) - set(self._with("failed"))

    def _save(self, file: Path) -> None:
        tests = {test: [sorted(self._marked[test]), sorted(self._outcomes[test])] for test in self._marked}
        file.write_text(json.dumps(tests))

    def _load(self, file: Path) -> None:
        """Add the tests of the run before that this run did not repeat."""
        for test, (numbers, outcomes) in json.loads(file.read_text()).items():
            if test not in self._marked:
                self._marked[test], self._outcomes[test] = set(numbers), set(outcomes)

    def _with(self, outcome: str) -> Iterator[str]:
        for test, numbers in self._marked.items():
            if outcome in self._outcomes[test] and not (outcome == "passed" and "failed" in self._outcomes[test]):
                yield from numbers

    def _fail(self, session: pytest.Session, complaint: str) -> None:
        self._complaint = complaint
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _asks_for_everything(config: pytest.Config) -> bool:
    """Whether the command line names no part of the tests."""
    option = config.option
    whole = config.args_source is not pytest.Config.ArgsSource.ARGS
    narrowed = option.keyword or option.markexpr or option.ignore or option.ignore_glob or option.deselect
    return bool(whole and not narrowed and not getattr(option, "lf", False))
