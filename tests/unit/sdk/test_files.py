"""Files under names that the caller chose."""

import os
import threading

import pytest

from atelier_client.files import check_writable, complete_file


def write(target, content=b"new"):
    with complete_file(target) as file:
        file.write(content)


def test_a_file_is_replaced_when_it_is_complete(tmp_path):
    target = tmp_path / "a.webp"
    target.write_bytes(b"old")
    with complete_file(target) as file:
        file.write(b"new")
        assert b"old" == target.read_bytes()
    assert b"new" == target.read_bytes()
    assert [target] == list(tmp_path.iterdir())


def test_a_write_that_fails_leaves_what_was_there(tmp_path):
    target = tmp_path / "a.webp"
    target.write_bytes(b"old")
    with pytest.raises(TypeError):
        write(target, "a text")
    assert b"old" == target.read_bytes()
    assert [target] == list(tmp_path.iterdir())


@pytest.mark.parametrize("is_there", [True, False])
def test_a_symbolic_link_stays_and_leads_to_the_new_file(tmp_path, is_there):
    (tmp_path / "elsewhere").mkdir()
    file, link = tmp_path / "elsewhere" / "a.webp", tmp_path / "link.webp"
    link.symlink_to(file)
    if is_there:
        file.write_bytes(b"old")
    check_writable(link)
    write(link)
    assert (file, b"new") == (link.readlink(), file.read_bytes())
    assert [file] == list(file.parent.iterdir())


@pytest.mark.parametrize("is_linked", [False, True])
def test_a_pipe_is_written_into_and_stays(tmp_path, is_linked):
    pipe, link = tmp_path / "pipe", tmp_path / "link"
    os.mkfifo(pipe)
    link.symlink_to(pipe)
    target, received = link if is_linked else pipe, []
    check_writable(target)
    reader = threading.Thread(target=lambda: received.append(pipe.read_bytes()), daemon=True)
    reader.start()
    write(target)
    reader.join(10)
    assert [b"new"] == received
    assert pipe.is_fifo()
    assert {pipe, link} == set(tmp_path.iterdir())


def test_a_folder_is_refused(tmp_path):
    for refused in (check_writable, write):
        with pytest.raises(IsADirectoryError):
            refused(tmp_path)
