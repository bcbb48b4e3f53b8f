from jobs.params.image import ImageParams
from jobs.params.speech import SpeechParams
from jobs.params.video import VideoParams
from tests.support.checkpoints.specs import spec
from workers.engine.working_memory import job_size, warm_up_size


def test_more_pixels_frames_or_images_are_a_larger_job() -> None:
    image, video = ImageParams(prompt="x", width=512, height=512), VideoParams(duration_seconds=2.0)
    assert job_size(image, 0) < job_size(ImageParams(prompt="x"), 0) < job_size(ImageParams(prompt="x"), 2)
    assert job_size(video, 1) < job_size(VideoParams(duration_seconds=2.5), 1)


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
