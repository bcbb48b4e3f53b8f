"""docs/models.md is what the catalog and the lock say."""

import msgspec

from benchmarks.report import RESULTS
from pipelines.catalog.loader import load_catalog
from scripts import models


def test_the_page_has_the_tables_of_the_catalog_and_lock() -> None:
    page = models.PAGE.read_text()
    assert page == models.with_tables(page), "run `python scripts/models.py`"


def test_the_page_names_the_sizes_of_cards() -> None:
    *others, last = models.CARDS.split(", ")
    assert f"{', '.join(others)} and {last} GB" in models.PAGE.read_text()


def test_nothing_is_said_to_be_measured_that_was_not() -> None:
    """A model may claim it once the results of a card have figures; the page's bold sentence goes then."""
    figures = msgspec.json.decode((RESULTS / "gpu.json").read_bytes())["figures"]
    claimed = [spec.id for spec in load_catalog().models if spec.is_measured]
    assert bool(figures) or [] == claimed
    assert bool(claimed) != ("Nothing here was measured on a card yet" in models.PAGE.read_text())
