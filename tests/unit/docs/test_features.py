"""docs/features.md: made from the contract and the tests, and nothing of the contract is left out."""

from collections import Counter

from scripts import features
from tests.support.paths import ROOT

SHOWN = [name for lines in features.read_features().values() for shown in lines.values() for name in shown]
NUMBERS = [name for name in SHOWN if "/" not in name]


def test_the_page_is_what_the_contract_yields():
    assert features.render() == features.PAGE.read_text(), "run `python scripts/features.py`"


def test_each_number_of_the_contract_is_in_one_line():
    assert dict.fromkeys(features.read_statuses(), 1) == Counter(NUMBERS)


def test_files_of_tests_run_in_every_suite():
    for name in SHOWN:
        if "/" in name:
            path = ROOT / name
            files = list(path.glob("test_*.py")) if path.is_dir() else [path]
            assert files, name
            for text in (file.read_text() for file in files):
                assert text.count("def test_") > text.count("mark.long"), name
                assert (
                    "\npytestmark" not in text
                    or "mark.long" not in text.partition("\npytestmark")[2].partition("\n")[0]
                )


def test_a_line_works_once_all_of_its_numbers_do(monkeypatch):
    lines = {"Make images": {"Small": ["C1"], "Large": ["C1", "C2"]}, "Sing": {"Loudly": ["C2"]}}
    monkeypatch.setattr(features, "read_features", lambda: lines)
    monkeypatch.setattr(features, "read_statuses", lambda: {"C1": True, "C2": False})
    assert (
        "\n## Make images\n\n- Small\n\n## Not there yet\n\n- **Make images.** Large.\n- **Sing.** Loudly.\n"
        == features.render().removeprefix(features.HEAD)
    )
    monkeypatch.setattr(features, "read_statuses", lambda: {"C1": True, "C2": True})
    assert "Not there yet" not in features.render()
