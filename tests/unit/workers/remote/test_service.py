"""Keys of backends: read from one setting, and shown nowhere."""

import pytest

from core.settings import Settings
from workers.remote.service import check_backends, read_keys


def test_keys_are_read_by_name_from_a_list_or_from_lines() -> None:
    assert {"one": "sk-a=b", "two": "sk-c"} == read_keys("one=sk-a=b, two=sk-c")
    assert {"one": "sk-a", "two": "sk-c"} == read_keys("one=sk-a\ntwo = sk-c\n")
    assert {} == read_keys("")


def test_a_part_without_a_name_is_refused_without_its_text() -> None:
    with pytest.raises(ValueError, match=r"^ATELIER_BACKEND_KEYS: part 2 is not name=key$"):
        read_keys("one=sk-a,sk-secret")


def test_an_unreadable_catalog_ends_the_worker_with_a_sentence() -> None:
    with pytest.raises(ValueError, match=r"nowhere\.toml: No such file"):
        check_backends(Settings(catalog="/nowhere.toml"))
