"""From the bodies of tools to parameters of jobs."""

import msgspec
import pytest

from api.dialects.videogen.schema import GenerateImage, GenerateVideoClip, PictureTool, TextToSpeech
from api.dialects.videogen.translate import (
    clip_params,
    cutout_params,
    image_params,
    parallax_params,
    speech_params,
    spread,
)
from core.errors.fields import InvalidRequest, MissingField, NotThisModel, OutOfRange
from core.errors.unknown import MalformedId

FILES = [f"vg_file_{digit * 32}" for digit in "123"]
MEDIA = [f"med_{digit * 32}" for digit in "123"]


def read(type_, **body):
    return msgspec.json.decode(msgspec.json.encode(body), type=type_)


@pytest.mark.contract("D3")
def test_pictures_are_the_input_and_references():
    params = image_params(read(GenerateImage, prompt="a chair", imageFileIds=FILES))
    assert (MEDIA[0], tuple(MEDIA[1:])) == (params.input_image, params.reference_images)
    assert (1024, 576, "png") == (params.width, params.height, params.output_format)


@pytest.mark.parametrize(("word", "quality"), [("LOW", "fast"), ("HIGH", "pro"), ("MAX", "ultra"), (None, "standard")])
def test_quality_is_a_preset(word, quality):
    assert quality == image_params(read(GenerateImage, prompt="a", quality=word)).quality


def test_null_is_the_default():
    body = read(GenerateImage, prompt="a", aspectRatio=None, imageFileIds=None, isOutputTemporary=None)
    assert image_params(read(GenerateImage, prompt="a")) == image_params(body)


def test_a_clip_starts_from_its_frame():
    body = read(GenerateVideoClip, prompt="slow zoom in", startFrameFileId=FILES[0], durationSeconds=3)
    params = clip_params(body)
    assert (MEDIA[0], "slow zoom in", 3.0, -1) == (
        params.input_image,
        params.prompt,
        params.duration_seconds,
        params.seed,
    )
    assert (896, 512) == (params.width, params.height)


def test_a_clip_has_sound_where_it_is_asked_for():
    assert clip_params(read(GenerateVideoClip, prompt="rain", generateAudio=True)).sound
    assert not clip_params(read(GenerateVideoClip, prompt="rain", generateAudio=None)).sound


def test_one_picture_of_a_clip_is_its_first_frame():
    assert MEDIA[0] == clip_params(read(GenerateVideoClip, imageFileIds=FILES[:1])).input_image


def test_further_pictures_of_a_clip_are_references():
    several = clip_params(read(GenerateVideoClip, imageFileIds=FILES[:2]))
    assert (None, tuple(MEDIA[:2])) == (several.input_image, several.reference_images)
    beside = clip_params(read(GenerateVideoClip, startFrameFileId=FILES[0], imageFileIds=FILES[1:2]))
    assert (MEDIA[0], tuple(MEDIA[1:2])) == (beside.input_image, beside.reference_images)


@pytest.mark.parametrize(
    ("body", "error", "named"),
    [
        ({}, MissingField, "startFrameFileId"),
        ({"prompt": "a", "videoFileIds": FILES}, NotThisModel, "videoFileIds"),
        ({"prompt": "a", "spokenDialogue": "hello"}, NotThisModel, "spokenDialogue"),
        ({"prompt": "a", "durationSeconds": 30}, OutOfRange, "duration_seconds"),
        ({"prompt": "a", "startFrameFileId": "vg_file_x"}, MalformedId, "vg_file_"),
    ],
)
def test_a_clip_that_no_model_can_make_is_refused(body, error, named):
    with pytest.raises(error) as caught:
        clip_params(read(GenerateVideoClip, **body))
    assert named in caught.value.detail


def test_a_picture_has_its_effect():
    body = read(PictureTool, imageFileId=FILES[0])
    assert MEDIA[0] == cutout_params(body).image_url
    assert (MEDIA[0], "slow orbit") == (parallax_params(body).input_image, parallax_params(body).prompt)


def test_a_long_text_is_not_cut_off():
    body = read(TextToSpeech, ttsText="word " * 100, voiceId="x")
    assert 2000 == speech_params(body, {}).max_new_tokens
    assert 256 == speech_params(read(TextToSpeech, ttsText="word", voiceId="x"), {}).max_new_tokens


def test_an_empty_text_is_refused():
    with pytest.raises(InvalidRequest):
        speech_params(read(TextToSpeech, ttsText="", voiceId="x"), {})


@pytest.mark.parametrize(("results", "sizes"), [(1, [1]), (8, [8]), (9, [8, 1]), (100, [8] * 12 + [4])])
def test_images_share_jobs(results, sizes):
    params = image_params(read(GenerateImage, prompt="a"))
    assert sizes == [each.num_images for each in spread(params, results)]


def test_films_have_a_job_each():
    assert 3 == len(spread(clip_params(read(GenerateVideoClip, prompt="a")), 3))


def test_replacements_that_multiply_a_text_are_refused():
    growing = [{"original": "a", "replacement": "a" * 200}] * 100
    with pytest.raises(OutOfRange):
        speech_params(read(TextToSpeech, ttsText="a", voiceId="v", pronunciationReplacements=growing), {})
