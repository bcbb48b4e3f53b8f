"""Pages of lists that are read whole."""

import pytest

from api.dialects.videogen.paging import page_of
from core.errors.fields import InvalidRequest

NAMES = [f"voice {number}" for number in range(7)]


def test_pages_follow_each_other_to_the_end():
    seen, cursor, pages = [], None, 0
    while pages == 0 or cursor is not None:
        page, cursor = page_of(NAMES, str, 3, cursor)
        seen, pages = seen + page, pages + 1
    assert (NAMES, 3) == (seen, pages)


def test_a_page_may_be_empty():
    assert ([], None) == page_of([], str, 3, None)


@pytest.mark.parametrize("cursor", ["", "!", "eA", "\u00e4", "dm9pY2UgOQ"])
def test_a_cursor_that_was_not_made_here_is_refused(cursor):
    with pytest.raises(InvalidRequest):
        page_of(NAMES, str, 3, cursor)
