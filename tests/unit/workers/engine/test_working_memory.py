from pathlib import Path

import pytest

from jobs.params.image import ImageParams
from jobs.params.speech import SpeechParams
from jobs.params.video import VideoParams
from tests.support.checkpoints.specs import spec
from tests.support.checkpoints.tiny_loras import save_lora
from workers.engine.working_memory import WorkingMemory, brought_bytes, job_size, warm_up_size


def test_more_pixels_frames_or_images_are_a_larger_job() -> None:
    image, video = ImageParams(prompt="x", width=512, height=512), VideoParams(duration_seconds=2.0)
    assert job_size(image, 0) < job_size(ImageParams(prompt="x"), 0) < job_size(ImageParams(prompt="x"), 2)
    assert job_size(video, 1) < job_size(VideoParams(duration_seconds=2.5), 1)


def test_a_video_is_as_large_as_one_of_its_clips() -> None:
    video = VideoParams(duration_seconds=9.0)
    assert job_size(VideoParams(duration_seconds=5.0), 1) == job_size(video, 1, clip_seconds=5.0)
    assert job_size(video, 1) == job_size(video, 1, clip_seconds=10.0)


def test_words_and_seeds_do_not_change_the_size() -> None:
    assert job_size(ImageParams(prompt="x"), 0) == job_size(ImageParams(prompt="y", num_images=4, seed=3), 0)
    assert job_size(SpeechParams(text="a"), 0) == job_size(SpeechParams(text="a b"), 1)


def test_the_first_run_is_as_large_as_a_job_of_the_default_size() -> None:
    image = spec(capabilities=["text-to-image"], defaults={"width": 512, "height": 768})
    edits = spec(capabilities=["references"], defaults={"width": 512, "height": 768})
    video = spec(modality="video", family="diffusers-video", capabilities=["text-to-video"], defaults={"width": 640})
    assert job_size(ImageParams(prompt="x", width=512, height=768), 0) == warm_up_size(image)
    assert job_size(ImageParams(prompt="x", width=512, height=768), 1) == warm_up_size(edits)
    assert job_size(VideoParams(width=640, height=1024), 0) == warm_up_size(video)


class Peaks:
    """A device on which nothing is allocated when a job begins, and `peak` at the most."""

    peak = 0

    def reset_peak(self) -> int:
        return 0

    def read_peak(self) -> int:
        return self.peak


def test_only_peaks_that_say_something_new_are_kept() -> None:
    device = Peaks()
    memory = WorkingMemory(device)
    for size, device.peak in ((10, 5), (11, 5), (30, 9), (20, 9), (20, 7), (40, 12)):
        with memory.measured("m", size):
            pass

    assert {10: 5, 20: 9, 40: 12} == memory._peaks["m"]
    assert [0, 5, 9, 9, 12] == [memory.expected("m", size) for size in (9, 10, 20, 39, 50)]
    assert 0 == memory.expected("other", 50)


def test_what_a_job_brings_is_not_what_others_take() -> None:
    device = Peaks()
    memory = WorkingMemory(device)
    device.peak = 9
    with memory.measured("m", 10, brought=4):
        pass
    assert 5 == memory.expected("m", 10)


def test_loras_are_counted_as_large_as_on_a_gpu(tmp_path: Path) -> None:
    file = save_lora(tmp_path / "own.safetensors", {"layers.0": (512, 512)}, alpha=False)
    inputs = {"loras.0": file, "loras.1": file, "input_image": file}

    for dtype, share in ((None, 0.5), ("float32", 1)):
        assert 2 * int(file.stat().st_size * share) == brought_bytes(spec(dtype=dtype), inputs)


def test_a_job_that_fails_is_measured_too() -> None:
    device = Peaks()
    memory = WorkingMemory(device)
    device.peak = 8
    with pytest.raises(MemoryError), memory.measured("m", 10):
        raise MemoryError

    assert 8 == memory.expected("m", 10)


def test_a_batch_takes_a_multiple_until_it_is_measured() -> None:
    device = Peaks()
    memory = WorkingMemory(device)
    device.peak = 8
    with memory.measured("m", 10):
        pass
    assert [8, 16, 32] == [memory.expected("m", 10, batch) for batch in (1, 2, 4)]

    device.peak = 12
    with memory.measured("m", 10, 4):
        pass
    assert [8, 16, 12] == [memory.expected("m", 10, batch) for batch in (1, 2, 4)]
    assert 8 == memory.expected("m", 20)


def test_a_batch_that_did_not_end_says_nothing() -> None:
    device = Peaks()
    memory = WorkingMemory(device)
    device.peak = 8
    with memory.measured("m", 10):
        pass
    device.peak = 1
    with pytest.raises(InterruptedError), memory.measured("m", 10, 4):
        raise InterruptedError

    assert 32 == memory.expected("m", 10, 4)


def test_only_the_latest_batches_are_kept() -> None:
    memory = WorkingMemory(Peaks())
    for size in range(100):
        memory.keep_batch("m", size, 2, 7)

    assert 64 == len(memory._batches["m"])
    assert 7 == memory.expected("m", 99, 2)
