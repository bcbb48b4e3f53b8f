"""The folder that a file URL names."""

from pathlib import Path

import pytest

from core.settings import Settings
from core.storage.directory import DirectoryStore
from core.storage.store import open_store


def folder_of(url: str) -> Path:
    store = open_store(Settings(storage_url=url))
    assert isinstance(store, DirectoryStore)
    return store.folder


@pytest.mark.parametrize(
    "name",
    ["a#b", "who?", "50% off", "50%25 off", "數據", "Größe über", "it's", 'say "x"', "back\\slash", "a\tb", "\udcff"],
)
def test_a_folder_of_any_name_is_found_by_its_uri(name):
    folder = Path("/srv", name, "objects")
    assert folder == folder_of(folder.as_uri())


def test_a_name_that_needs_no_encoding_is_taken_as_it_is():
    assert Path("/srv/größe über") == folder_of("file:///srv/größe über")
    assert Path("/srv/a") == folder_of("file://localhost/srv/a")


@pytest.mark.parametrize("url", ["file:///srv/a#b", "file:///srv/a?", "file:///srv/who?/objects"])
def test_a_mark_that_would_cut_the_path_is_refused(url):
    with pytest.raises(ValueError, match=r"^ATELIER_STORAGE_URL=file:///srv/.*: write # as %23 and \? as %3F"):
        open_store(Settings(storage_url=url))


def test_a_folder_without_its_third_slash_is_refused():
    with pytest.raises(ValueError, match="use file:///dir"):
        open_store(Settings(storage_url="file://srv/objects"))
