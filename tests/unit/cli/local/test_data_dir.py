"""The data folder: one holder, private secrets, kept over restarts."""

import os
import subprocess
import sys

import pytest

from cli.local.data_dir import DataDirectory, DataDirectoryBusy, write_private
from core.signing import key_digest


@pytest.fixture
def home(tmp_path):
    made = DataDirectory(tmp_path / "data")
    made.lock()
    yield made
    made.unlock()


def mode(path) -> int:
    return path.stat().st_mode & 0o777


def test_the_folder_is_for_its_owner_only(home):
    assert 0o700 == mode(home.folder)


def test_a_second_holder_is_refused_and_told_who_has_it(home):
    with pytest.raises(DataDirectoryBusy, match=rf"in use by another `atelier up` \(process {os.getpid()}\)"):
        DataDirectory(home.folder).lock()


def test_the_lock_goes_with_its_holder(tmp_path):
    script = (
        "import sys; from pathlib import Path; from cli.local.data_dir import DataDirectory;"
        " DataDirectory(Path(sys.argv[1])).lock()"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=True)
    DataDirectory(tmp_path).lock()


def test_the_admin_key_is_made_once_and_private(home):
    key, new = home.ensure_admin_key()
    assert new
    assert key_digest("secret", key)
    assert 0o600 == mode(home.admin_key)
    assert (key, False) == home.ensure_admin_key()


def test_the_secret_key_is_kept_and_private(home):
    first = home.ensure_secret_key()
    assert len(first) >= 32
    assert first == DataDirectory(home.folder).ensure_secret_key()
    assert 0o600 == mode(home.secret_key)


def test_settings_are_private_and_gone_after_the_service(home):
    home.write_settings({"ATELIER_BROKER_URL": "redis://:pass=word@h/0"})
    assert {"ATELIER_BROKER_URL": "redis://:pass=word@h/0"} == DataDirectory(home.folder).read_settings()
    assert 0o600 == mode(home.settings)
    DataDirectory(home.folder).unlock()
    assert home.settings.exists(), "one that does not hold the folder leaves it alone"
    home.unlock()
    assert {} == home.read_settings()


def test_a_private_file_is_never_open_to_others_even_when_a_draft_lies_there(tmp_path):
    path = tmp_path / "secret"
    (tmp_path / "secret.new").write_text("left over")
    write_private(path, "text")
    assert "text" == path.read_text()
    assert 0o600 == mode(path)
    assert [path] == list(tmp_path.iterdir())
