"""Which process of a run gets which tests: those of a file stay together, and so do all that need the studio.

The studio is the service of `tests/acceptance/conftest.py`; it takes as long to start as fifty tests take. Services of
other models start with it: all are forked from one process that has imported the libraries of models.
"""

from functools import cache

from xdist.scheduler import LoadFileScheduling

from tests.support.paths import ROOT

STUDIO = "the studio"


class OneStudio(LoadFileScheduling):  # type: ignore[misc]
    """As `--dist loadfile`, with one group of the files of the studio and of services of other models."""

    def _split_scope(self, nodeid: str) -> str:
        file: str = super()._split_scope(nodeid)
        return STUDIO if _needs_studio(file) else file


@cache
def _needs_studio(file: str) -> bool:
    if not file.startswith("tests/acceptance/"):
        return False
    text = (ROOT / file).read_text("utf-8")
    return "studio" in text or "model_service" in text
