"""What a version changes in the files of a checkout, and what it is refused for. Texts in, texts out."""

import re

FORM = re.compile(r"(\d+)\.(\d+)\.(\d+)(?:-rc\.(\d+))?")
"""Of Semantic Versioning what PEP 440 reads in the same way: 1.2.3, and 1.3.0-rc.1 before 1.3.0."""
HEADING = re.compile(r"^## \[(?P<name>[^\]]+)\].*$", re.MULTILINE)
PROJECT = re.compile(r'^version = "(?P<version>[^"]+)"$', re.MULTILINE)
CHART = re.compile(r"^(?P<key>version|appVersion): (?P<version>\S+)$", re.MULTILINE)


class Refused(Exception):
    """The release cannot be made; the sentence says why, and what to do."""


def check_form(version: str) -> None:
    """Refuse what is not X.Y.Z or X.Y.Z-rc.N."""
    if not FORM.fullmatch(version) or re.search(r"(^|\.)0\d", version):
        raise Refused(f"{version!r} is not a version: write X.Y.Z, as in 1.2.3, or X.Y.Z-rc.N before it.")


def check_order(version: str, current: str) -> None:
    """Refuse a version that is older than the one that the checkout has."""
    if _order(version) < _order(current):
        raise Refused(f"{version} is older than {current} of pyproject.toml: choose {current} or a newer one.")


def _order(version: str) -> tuple[float, ...]:
    found = FORM.fullmatch(version)
    if not found:
        raise Refused(f"pyproject.toml has the version {version!r}, which is not X.Y.Z: write one that is.")
    *release, candidate = found.groups()
    return (*map(int, release), int(candidate) if candidate else float("inf"))


def cut_changelog(text: str, version: str, date: str) -> str:
    """The changelog with what was unreleased under `version` and `date` (ISO 8601), and an empty [Unreleased]."""
    headings = [found["name"] for found in HEADING.finditer(text)]
    if version in headings:
        raise Refused(f"CHANGELOG.md has a section [{version}] already, and no tag: remove one of the two headings.")
    if not section(text, "Unreleased").strip():
        raise Refused("Nothing stands under [Unreleased] in CHANGELOG.md: write there what the version changes.")
    return text.replace("## [Unreleased]\n", f"## [Unreleased]\n\n## [{version}] - {date}\n", 1)


def section(text: str, name: str) -> str:
    """What stands under the heading `[name]`, up to the next one."""
    found = list(HEADING.finditer(text))
    for heading, following in zip(found, [*found[1:], None], strict=False):
        if heading["name"] == name:
            return text[heading.end() : following.start() if following else len(text)].strip() + "\n"
    raise Refused(f"CHANGELOG.md has no section [{name}]: write one, as of Keep a Changelog.")


def project_version(pyproject: str) -> str:
    """The version that pyproject.toml has."""
    found = PROJECT.search(pyproject)
    if not found:
        raise Refused('pyproject.toml has no line `version = "…"`.')
    return found["version"]


def bump_project(pyproject: str, version: str) -> str:
    """pyproject.toml of `version`."""
    return pyproject.replace(f'version = "{project_version(pyproject)}"', f'version = "{version}"', 1)


def bump_chart(chart: str, version: str) -> str:
    """Chart.yaml of `version`: the chart's own version and that of the images which it names by default."""
    if {"version", "appVersion"} != {found["key"] for found in CHART.finditer(chart)}:
        raise Refused("helm/Chart.yaml needs one line `version: …` and one `appVersion: …`.")
    return CHART.sub(lambda found: f"{found['key']}: {version}", chart)
