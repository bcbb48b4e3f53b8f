"""Which process of a run gets which tests: those of a file stay together, and so do all that need the studio.

The studio is the service of `tests/acceptance/conftest.py`; it takes as long to start as fifty tests take.
"""

from functools import cache

from xdist.scheduler import LoadFileScheduling

from tests.support.paths import ROOT

STUDIO = "the studio"


class OneStudio(LoadFileScheduling):  # type: ignore[misc]
    """As `--dist loadfile`, with one group of the files of the studio."""

    def _split_scope(self, nodeid: str) -> str:
        file: str = super()._split_scope(nodeid)
        return STUDIO if _needs_studio(file) else file


@cache
def _needs_studio(file: str) -> bool:
    return file.startswith("tests/acceptance/") and "studio" in (ROOT / file).read_text("utf-8")
