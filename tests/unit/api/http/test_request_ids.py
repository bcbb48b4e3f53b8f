"""Request ids."""

import re

import pytest

from api.http.request_ids import choose


@pytest.mark.parametrize("offered", ["a", "7f3c", "trace-1.2:3/4+5=", "x" * 128])
def test_a_sane_name_is_kept(offered):
    assert offered == choose(offered)


@pytest.mark.parametrize("offered", [None, "", "x" * 129, "a b", "a\nb", "é", '"', "<script>"])
def test_anything_else_gets_a_fresh_name(offered):
    assert re.fullmatch(r"req_[0-9a-f]{32}", choose(offered))
