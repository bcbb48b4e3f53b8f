"""The data directory: one holder, private secrets that survive restarts."""

import os
import subprocess
import sys

import pytest

from cli.local.data_dir import DataDirectory, DataDirectoryBusy, DataDirectoryUnusable, write_private
from core.signing import key_digest


@pytest.fixture
def directory(tmp_path):
    locked = DataDirectory(tmp_path / "data")
    locked.lock()
    yield locked
    locked.unlock()


def mode(path) -> int:
    return path.stat().st_mode & 0o777


def test_only_the_owner_may_enter_the_folder(directory):
    assert 0o700 == mode(directory.folder)


def test_a_second_holder_gets_the_process_id_of_the_first(directory):
    with pytest.raises(DataDirectoryBusy, match=rf"in use by another `atelier up` \(process {os.getpid()}\)"):
        DataDirectory(directory.folder).lock()


@pytest.mark.parametrize(
    ("settings", "state"),
    [({}, "which is still starting"), ({"ATELIER_URL": "http://127.0.0.1:7"}, "which answers at http://127.0.0.1:7")],
)
def test_a_second_holder_learns_where_the_first_answers(directory, settings, state):
    if settings:
        directory.write_settings(settings)
    with pytest.raises(DataDirectoryBusy, match=rf"\), {state}; use that one, end it, or choose another --data$"):
        DataDirectory(directory.folder).lock()


def test_the_lock_ends_with_its_process(tmp_path):
    script = (
        "import sys; from pathlib import Path; from cli.local.data_dir import DataDirectory;"
        " DataDirectory(Path(sys.argv[1])).lock()"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=True)
    DataDirectory(tmp_path).lock()


def test_the_admin_key_is_made_only_once_and_is_private(directory):
    key, new = directory.ensure_admin_key()
    assert new
    assert key_digest("secret", key)
    assert 0o600 == mode(directory.admin_key)
    assert (key, False) == directory.ensure_admin_key()


def test_the_secret_key_is_kept_and_is_private(directory):
    first = directory.ensure_secret_key()
    assert len(first) >= 32
    assert first == DataDirectory(directory.folder).ensure_secret_key()
    assert 0o600 == mode(directory.secret_key)


def test_settings_are_private_and_removed_by_unlock(directory):
    directory.write_settings({"ATELIER_BROKER_URL": "redis://:pass=word@h/0"})
    assert {"ATELIER_BROKER_URL": "redis://:pass=word@h/0"} == DataDirectory(directory.folder).read_settings()
    assert 0o600 == mode(directory.settings)
    DataDirectory(directory.folder).unlock()
    assert directory.settings.exists(), "only the holder removes them"
    directory.unlock()
    assert {} == directory.read_settings()


def test_a_private_file_replaces_a_draft_that_was_left(tmp_path):
    path = tmp_path / "secret"
    (tmp_path / "secret.new").write_text("left over")
    write_private(path, "text")
    assert "text" == path.read_text()
    assert 0o600 == mode(path)
    assert [path] == list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(DataDirectoryUnusable, match="cannot be used: Not a directory; choose another with --data"):
        DataDirectory(tmp_path / "file" / "data").lock()


def test_a_part_of_the_folder_that_is_in_the_way_is_named(tmp_path):
    (tmp_path / "logs").write_text("x")
    with pytest.raises(DataDirectoryUnusable, match=r"cannot be used: File exists \(.*/logs\)"):
        DataDirectory(tmp_path).lock()


def test_settings_keep_every_character_of_a_folder(directory):
    path = "/srv/\u2028größe\x0b = \udcff\r#"
    directory.write_settings({"ATELIER_COMPILE_CACHE": path, "ATELIER_URL": "http://127.0.0.1:80"})
    assert {"ATELIER_COMPILE_CACHE": path, "ATELIER_URL": "http://127.0.0.1:80"} == directory.read_settings()


def test_a_setting_with_a_line_break_is_refused(directory):
    with pytest.raises(ValueError, match="ATELIER_PUBLIC_URL has a line break"):
        directory.write_settings({"ATELIER_PUBLIC_URL": "http://a\nATELIER_SECRET_KEY=x"})
    assert {} == directory.read_settings()


@pytest.mark.parametrize("line_break", ["\n", "\r"])
def test_a_folder_with_a_line_break_is_refused(tmp_path, line_break):
    with pytest.raises(DataDirectoryUnusable, match=r"has a line break in its name; choose another with --data"):
        DataDirectory(tmp_path / f"a{line_break}b").lock()
    assert [] == list(tmp_path.iterdir())
