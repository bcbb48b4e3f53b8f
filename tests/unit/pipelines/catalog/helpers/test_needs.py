"""What a job needs of models beside its own."""

import pytest

from jobs.params.image import ImageParams
from jobs.params.video import VideoParams
from pipelines.catalog.helpers.needs import HelperNeed, may_need_helpers, needs_of, sound_request
from tests.support.checkpoints.specs import spec

SILENT = spec(id="silent", modality="video", capabilities=["text-to-video"])
LOUD = spec(id="loud", modality="video", capabilities=["text-to-video", "sound"])
QUIET = spec(id="quiet", modality="video", capabilities=["text-to-video"], unsupported={"sound": "adapt"})
BELL = spec(id="bell", modality="sound", family="demo-sound", vocabulary={"bell": []}, limits={"max_seconds": 5})
PIECES = spec(id="pieces", modality="sound", limits={"durations": [2, 4]})


@pytest.mark.contract("B57")
@pytest.mark.parametrize(("model", "needed"), [(SILENT, ["sound"]), (LOUD, []), (QUIET, [])])
def test_a_model_that_makes_none_needs_one_of_sounds(model, needed):
    assert needed == [need.field for need in needs_of(model, VideoParams(sound=True))]
    assert () == needs_of(model, VideoParams())


def test_a_better_prompt_needs_one_of_texts():
    both = needs_of(SILENT, VideoParams(sound=True, enhance_prompt=True))
    assert ["text", "sound"] == [need.modality for need in both]
    assert ["text"] == [need.modality for need in needs_of(spec(), ImageParams(prompt="a", enhance_prompt=True))]
    asked = (ImageParams(prompt="a"), VideoParams(), VideoParams(sound=True))
    assert [False, False, True] == [may_need_helpers(each) for each in asked]


@pytest.mark.parametrize(
    ("model", "prompt", "seconds", "rule"),
    [
        (BELL, "a bell", 5.0, None),
        (BELL, "a lamp", 5.0, "`prompt` must name something that bell makes: bell"),
        (BELL, "a bell", 6.0, "`duration_seconds` must be at most 5 for bell"),
        (BELL, " ", 5.0, "`prompt` must say in words what is heard"),
        (PIECES, "a lamp", 3.0, None),
    ],
)
def test_a_model_of_sounds_fits_by_what_it_makes(model, prompt, seconds, rule):
    unmet = HelperNeed(modality="sound", field="sound", prompt=prompt, seconds=seconds).unmet(model)
    assert rule == (unmet and unmet.sentence)


@pytest.mark.parametrize(
    ("model", "seconds", "asked"),
    [(BELL, 2.5, 2.5), (BELL, 0.1, 0.2), (BELL, 6.0, 5.0), (PIECES, 2.5, 4), (PIECES, 9.0, 4)],
)
def test_a_sound_is_at_least_as_long_as_the_film(model, seconds, asked):
    assert asked == sound_request(model, "a bell", seconds).duration_seconds
