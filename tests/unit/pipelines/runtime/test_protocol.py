from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest

from pipelines.runtime.protocol import Output, Outputs, RawOutput, empty_array, load_raw, save_raw


def test_arrays_warnings_and_facts_travel_through_a_folder(tmp_path: Path) -> None:
    arrays = {
        "0": np.random.default_rng(0).integers(0, 256, (8, 9, 3), dtype=np.uint8),
        "1": np.linspace(0, 1, 7, dtype=np.float32),
    }
    raw = RawOutput(
        arrays=arrays, warnings=("resized",), metadata={"seed": 2**53 - 1, "guidance_scale": 1.5, "made": None}
    )

    save_raw(raw, tmp_path / "new" / "folder")
    found = load_raw(tmp_path / "new" / "folder")

    assert ["0", "1"] == list(found.arrays)
    assert all(np.array_equal(arrays[name], found.arrays[name]) for name in arrays)
    assert (raw.warnings, raw.metadata) == (found.warnings, found.metadata)


def test_loaded_arrays_are_read_only_maps(tmp_path: Path) -> None:
    save_raw(RawOutput(arrays={"0": np.zeros((2, 2, 3), np.uint8)}), tmp_path)
    array = load_raw(tmp_path).arrays["0"]

    assert isinstance(array, np.memmap)
    assert not array.flags.writeable


def test_what_was_made_in_its_file_is_not_written_again(tmp_path: Path) -> None:
    array = empty_array(tmp_path / "new", "frames", (4, 6, 8))
    file = (tmp_path / "new" / "frames.npy").stat().st_ino
    array[:] = np.arange(192).reshape(array.shape)

    save_raw(RawOutput(arrays={"frames": array}), tmp_path / "new")

    assert np.array_equal(array, load_raw(tmp_path / "new").arrays["frames"])
    assert file == (tmp_path / "new" / "frames.npy").stat().st_ino


def test_all_of_its_room_is_there_before_it_is_filled(tmp_path: Path) -> None:
    """Else a full disk would end the process in the middle of a video, without a word."""
    empty_array(tmp_path, "frames", (512, 512))

    assert (tmp_path / "frames.npy").stat().st_blocks * 512 >= 512 * 512


@pytest.mark.parametrize("part", [lambda array: array[:2], lambda array: array[::-1], lambda array: array.T])
def test_a_view_of_a_mapped_array_is_written_like_any_other(
    tmp_path: Path, part: Callable[[np.ndarray], np.ndarray]
) -> None:
    array = empty_array(tmp_path, "frames", (4, 6))
    array[:] = np.arange(24).reshape(array.shape)
    expected = part(array).copy()

    save_raw(RawOutput(arrays={"frames": part(array)}), tmp_path)

    assert np.array_equal(expected, load_raw(tmp_path).arrays["frames"])


def test_a_second_try_gets_a_file_of_its_own(tmp_path: Path) -> None:
    first, second = (empty_array(tmp_path, "frames", (size, 6)) for size in (4, 2))
    first[:], second[:] = 1, 2

    save_raw(RawOutput(arrays={"frames": second}), tmp_path)

    assert np.array_equal(np.full((2, 6), 2), load_raw(tmp_path).arrays["frames"])
    assert 24 == first.sum()


def test_a_pickled_array_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Object arrays"):
        save_raw(RawOutput(arrays={"0": np.array([object()])}), tmp_path / "a")

    save_raw(RawOutput(arrays={"0": np.zeros(1)}), tmp_path / "b")
    np.save(tmp_path / "b" / "0.npy", np.array([{"a": 1}]), allow_pickle=True)
    with pytest.raises(ValueError, match=r"Array can't be memory-mapped|pickle"):
        load_raw(tmp_path / "b")


@pytest.mark.parametrize("name", ["../x", "A", "", "a/b", "x" * 65])
def test_a_name_that_is_no_file_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="array name"):
        save_raw(RawOutput(arrays={name: np.zeros(1)}), tmp_path)


def test_an_unfinished_folder_has_no_manifest(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"raw\.json"):
        load_raw(tmp_path)


def test_outputs_travel_as_json() -> None:
    outputs = Outputs(files=(Output(path="0.webp", media_type="image/webp", width=1, height=2),), warnings=("w",))

    assert outputs == msgspec.json.decode(msgspec.json.encode(outputs), type=Outputs)
