"""What a version changes in the changelog, in pyproject.toml and in Chart.yaml, and what it is refused for."""

import pytest

from scripts.release import version
from scripts.release.version import Refused

CHANGELOG = """# Changelog

## [Unreleased]

### Added

- Something new.

## [0.1.0] - 2026-01-02

- The first.
"""


@pytest.mark.parametrize("text", ["1.2.3", "0.1.0", "10.20.30", "1.3.0-rc.1"])
def test_versions_of_three_numbers_are_taken(text):
    version.check_form(text)


@pytest.mark.parametrize(
    "text", ["", "1.2", "v1.2.3", "1.2.3.4", "01.2.3", "1.2.3-beta", "1.2.3rc1", "1.2.3\n", "1.2.x"]
)
def test_other_forms_are_refused(text):
    with pytest.raises(Refused, match=r"is not a version: write X\.Y\.Z"):
        version.check_form(text)


@pytest.mark.parametrize("newer", ["1.2.3", "1.2.4", "1.10.0", "2.0.0-rc.1"])
def test_same_and_newer_versions_are_taken(newer):
    version.check_order(newer, "1.2.3")


@pytest.mark.parametrize(("older", "current"), [("1.2.2", "1.2.3"), ("1.9.0", "1.10.0"), ("2.0.0-rc.9", "2.0.0")])
def test_an_older_version_is_refused(older, current):
    with pytest.raises(Refused, match=f"{older} is older than {current}"):
        version.check_order(older, current)


def test_changelog_gets_a_section_and_an_empty_unreleased():
    cut = version.cut_changelog(CHANGELOG, "0.2.0", "2026-11-29")
    assert "## [Unreleased]\n\n## [0.2.0] - 2026-11-29\n\n### Added\n\n- Something new.\n\n## [0.1.0]" in cut
    assert "\n" == version.section(cut, "Unreleased")
    assert "### Added\n\n- Something new.\n" == version.section(cut, "0.2.0")
    assert "- The first.\n" == version.section(cut, "0.1.0")


def test_an_empty_unreleased_is_refused():
    cut = version.cut_changelog(CHANGELOG, "0.2.0", "2026-11-29")
    with pytest.raises(Refused, match="Nothing stands under"):
        version.cut_changelog(cut, "0.3.0", "2026-11-30")


def test_a_section_that_is_there_is_refused():
    with pytest.raises(Refused, match="already, and no tag"):
        version.cut_changelog(CHANGELOG, "0.1.0", "2026-11-29")


def test_a_changelog_without_unreleased_is_refused():
    with pytest.raises(Refused, match=r"no section \[Unreleased\]"):
        version.cut_changelog("# Changelog\n", "0.1.0", "2026-11-29")


def test_package_and_chart_have_the_version():
    project = version.bump_project('[project]\nversion = "0.1.0"\nrequires = ["x==0.1.0"]\n', "0.2.0")
    assert '[project]\nversion = "0.2.0"\nrequires = ["x==0.1.0"]\n' == project
    chart = version.bump_chart("apiVersion: v2\nversion: 0.1.0\nappVersion: 0.1.0\n", "0.2.0")
    assert "apiVersion: v2\nversion: 0.2.0\nappVersion: 0.2.0\n" == chart


def test_files_without_a_version_are_refused():
    with pytest.raises(Refused, match="has no line"):
        version.bump_project("[project]\n", "0.2.0")
    with pytest.raises(Refused, match="one line"):
        version.bump_chart("version: 0.1.0\n", "0.2.0")
