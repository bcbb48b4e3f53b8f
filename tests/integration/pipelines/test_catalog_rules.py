"""The rules of entries against models: what they accept runs on tiny checkpoints, what they refuse names the rule."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors.fields import InvalidRequest, NotThisModel, OutOfRange
from jobs.params.image import ImageParams
from jobs.params.media import Element, media_of
from jobs.params.video import VideoParams
from pipelines.catalog.elements import resolve_elements
from pipelines.catalog.media_request import MediaRequest, plan_request
from pipelines.catalog.requirements import settle, unmet_requirements
from pipelines.catalog.spec import ModelSpec
from pipelines.runtime.device import load
from pipelines.runtime.protocol import Inputs, Pipeline, RawOutput, RunContext
from pipelines.video.frames import FPS
from pipelines.weights.lockfile import Lock
from pipelines.weights.verify import lock_directory
from tests.support.checkpoints import image_runs, tiny_videos
from tests.support.checkpoints.image_runs import save_image
from tests.support.checkpoints.specs import spec

URL = "https://example.org/a.png"
FILM = {"family": "diffusers-video", "modality": "video"}
FILMS: dict[str, dict[str, Any]] = {
    "wan22": {"capabilities": ["text-to-video", "image-to-video", "negative-prompt"]},
    "wan22a14b": {"capabilities": ["image-to-video", "first-last-frame"]},
}
ELEMENT = Element(name="mug", description="a mug", element_input_urls=(URL, URL))
POLICIES = st.sampled_from(["refuse", "adapt"])


class TinyModels:
    """Tiny checkpoints, each loaded once, under whatever rules an entry has for them."""

    def __init__(self, images: Path, films: Path, picture: Path) -> None:
        self._images, self._films, self._picture = images, films, picture
        self._loaded: dict[str, Pipeline] = {}

    def entry(self, name: str, **rules: Any) -> ModelSpec:
        if name not in FILMS:
            return image_runs.model(name, **rules)
        limits = {"frame_step": 4, "max_side": 128} | rules.pop("limits", {})
        return spec(
            **{"id": name, "source": {"path": name}, "defaults": {"fps": 8}} | FILM | FILMS[name] | rules,
            limits=limits,
        )

    def run(self, name: str, model: ModelSpec, params: ImageParams | VideoParams) -> RawOutput:
        """Run accepted parameters as the engine does: settled, with a file for each source."""
        pipeline: Any = self._pipeline(name)
        pipeline.spec = model
        files = {medium.name: self._picture for medium in media_of(params)}
        if isinstance(params, ImageParams) and params.elements:
            resolved = resolve_elements(model, params)
            params, files = resolved.params, resolved.renamed(files)
        inputs = Inputs(files)
        context = RunContext(seed=1, progress=lambda part, stage: None, warn=lambda text: None)
        made: RawOutput = pipeline.run(settle(model, params).params, inputs, context)
        return made

    def _pipeline(self, name: str) -> Pipeline:
        if name not in self._loaded:
            folder = self._films if name in FILMS else self._images
            entry = self.entry(name)
            self._loaded[name] = load(entry, folder, Lock({name: lock_directory(entry, folder / name)}), "cpu")
        return self._loaded[name]


@pytest.fixture(scope="module")
def tiny(weights_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> TinyModels:
    films = tmp_path_factory.mktemp("films")
    for name in FILMS:
        tiny_videos.save(name, films / name)
    return TinyModels(weights_dir, films, save_image(tmp_path_factory.mktemp("picture") / "a.png", 96, 64))


def rules(name: str) -> st.SearchStrategy[dict[str, Any]]:
    """What an entry may say of a model: its limits, and what becomes of what lies beyond them."""
    is_film = name in FILMS
    limits: dict[str, st.SearchStrategy[Any]] = {
        "max_prompt_chars": st.integers(4, 24),
        "native_sizes": st.lists(st.sampled_from([[64, 64], [96, 64], [64, 96]]), max_size=2, unique_by=tuple),
    }
    if is_film:
        limits |= {
            "durations": st.lists(st.sampled_from([0.5, 1.0, 1.5]), max_size=2, unique=True),
            "min_seconds": st.sampled_from([0.1, 0.6]),
            "max_seconds": st.sampled_from([0.6, 1.5]),
            "inputs": st.sampled_from(
                [{}, {"image-to-video": [1, 1]}]
                + ([{"image-to-video": [2, 2]}] if "first-last-frame" in FILMS[name]["capabilities"] else [])
                + ([{"text-to-video": [0, 1]}] if "text-to-video" in FILMS[name]["capabilities"] else [])
            ),
        }
    fields = ("prompt", "duration", "size", "negative_prompt", "quality", "strength", "sound")
    return st.fixed_dictionaries(
        {
            "limits": st.fixed_dictionaries({}, optional=limits),
            "unsupported": st.fixed_dictionaries({}, optional=dict.fromkeys(fields, POLICIES)),
            "quality": st.sampled_from([{}, {"fast": {"num_inference_steps": 1}}]),
        }
    )


def requests(name: str) -> st.SearchStrategy[ImageParams | VideoParams]:
    """What a caller may ask of it, within the bounds of the parameters; small, so that it is quick."""
    shared: dict[str, st.SearchStrategy[Any]] = {
        "prompt": st.text("ab c", min_size=1, max_size=30),
        "negative_prompt": st.sampled_from([None, "", "blur"]),
        "quality": st.sampled_from(["fast", "standard", "ultra"]),
        "width": st.sampled_from([64, 96, 128]),
        "height": st.sampled_from([64, 96, 128]),
        "input_image": st.sampled_from([None, URL]),
        "num_inference_steps": st.just(1),
    }
    if name in FILMS:
        films = {
            "duration_seconds": st.sampled_from([0.5, 0.7, 1.0, 1.5, 2.0]),
            "last_image": st.sampled_from([None, URL]),
            "motion_video": st.sampled_from([None, None, None, URL]),
            "sound": st.sampled_from([False, False, True]),
        }
        return st.builds(VideoParams, **shared | films)
    pictures = {
        "reference_images": st.integers(0, 5).map(lambda count: (URL,) * count),
        "strength": st.sampled_from([None, 0.5]),
        "elements": st.sampled_from([(), (), (ELEMENT,)]),
    }
    return st.builds(ImageParams, **shared | pictures)


def check(tiny: TinyModels, name: str, entry: Mapping[str, Any], params: ImageParams | VideoParams) -> None:
    """Run the request where the rules accept it; see that the refusal says the rule where they do not."""
    entry = {key: dict(value) for key, value in entry.items()}
    if entry["limits"].get("min_seconds", 0.1) > entry["limits"].get("max_seconds", 10.0):
        del entry["limits"]["min_seconds"]
    base = image_runs.CHANGES.get(name, {})
    model = tiny.entry(name, **entry | {"limits": base.get("limits", {}) | entry["limits"]})
    unmet = next(unmet_requirements(model, params), None)
    if unmet is not None:
        assert model.id in unmet.sentence
        assert f"`{unmet.field.removeprefix('$.')}`" in unmet.sentence
        return
    raw = tiny.run(name, model, params)
    if isinstance(params, ImageParams):
        assert {(params.height, params.width, 3)} == {image.shape for image in raw.arrays.values()}
        return
    seconds = model.limits.nearest_seconds(params.duration_seconds)
    assert abs(raw.metadata["frames"] / (model.defaults.fps or FPS) - seconds) <= 2 / 8 + 0.01
    assert (params.height * 3 // 2, params.width) == raw.arrays["frames"].shape[1:]


@pytest.mark.matrix
@pytest.mark.parametrize("name", ["flux2klein", "wan22", "zimage", "sdxl", "qwenedit", "wan22a14b"])
def test_what_is_accepted_runs_and_what_is_refused_is_said(tiny: TinyModels, name: str, full: bool) -> None:
    @settings(
        max_examples=300 if full else 20,
        deadline=None,
        derandomize=not full,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(rules(name), requests(name))
    def holds(entry: dict[str, Any], params: ImageParams | VideoParams) -> None:
        check(tiny, name, entry, params)

    holds()


def seconds_made(tiny: TinyModels, model: ModelSpec, **fields: Any) -> float:
    """Seconds of the film, to the half second: frames are counted in fours."""
    raw = tiny.run("wan22", model, VideoParams(width=64, height=64, num_inference_steps=1, **fields))
    return round(2 * raw.metadata["frames"] / 8) / 2


@pytest.mark.contract("B42")
def test_durations_are_sets_ranges_fixed_or_ignored(tiny: TinyModels) -> None:
    steps = tiny.entry("wan22", limits={"durations": [1, 2]})
    span = tiny.entry("wan22", limits={"min_seconds": 1, "max_seconds": 1.5})
    fixed = tiny.entry("wan22", limits={"durations": [1.5]}, unsupported={"duration": "adapt"})
    assert 1.0 == seconds_made(tiny, steps, duration_seconds=1.0)
    assert 1.5 == seconds_made(tiny, span, duration_seconds=1.5)
    for model, rule in ((steps, "must be 1 or 2"), (span, "must be at most 1.5")):
        (unmet,) = unmet_requirements(model, VideoParams(duration_seconds=3.0))
        assert rule in unmet.sentence
    asked = VideoParams(duration_seconds=9.0)
    assert [] == list(unmet_requirements(fixed, asked))
    assert ("wan22 makes videos of 1.5 s; this one has 1.5 s",) == settle(fixed, asked).warnings
    assert 1.5 == seconds_made(tiny, fixed, duration_seconds=9.0)


def image(tiny: TinyModels, name: str, model: ModelSpec, **fields: Any) -> np.ndarray:
    asked = ImageParams(**{"prompt": "a red apple", "width": 64, "height": 64, "num_inference_steps": 2} | fields)
    (made,) = tiny.run(name, model, asked).arrays.values()
    return made


@pytest.mark.contract("B43")
def test_negative_prompts_are_used_ignored_or_refused(tiny: TinyModels) -> None:
    able, unable = tiny.entry("sdxl", defaults={"guidance_scale": 5.0}), tiny.entry("zimage")
    strict = tiny.entry("zimage", unsupported={"negative_prompt": "refuse"})
    asked = ImageParams(prompt="a", negative_prompt="blue")
    assert not np.array_equal(image(tiny, "sdxl", able), image(tiny, "sdxl", able, negative_prompt="blue"))
    assert np.array_equal(image(tiny, "zimage", unable), image(tiny, "zimage", unable, negative_prompt="blue"))
    assert ("zimage does not use `negative_prompt`; it was ignored",) == settle(unable, asked).warnings
    (unmet,) = unmet_requirements(strict, asked)
    assert (NotThisModel, "$.negative_prompt") == (unmet.error, unmet.field)


@pytest.mark.contract("B44")
def test_a_quality_means_the_settings_of_the_model(tiny: TinyModels) -> None:
    presets = {"fast": {"num_inference_steps": 1}, "pro": {"num_inference_steps": 3, "guidance_scale": 7.0}}
    model = tiny.entry("sdxl", quality=presets, defaults={"num_inference_steps": 2, "guidance_scale": 5.0})
    own = {"num_inference_steps": None}
    for word, steps, guidance in (("fast", 1, 5.0), ("standard", 2, 5.0), ("pro", 3, 7.0), ("ultra", 2, 5.0)):
        said = image(tiny, "sdxl", model, num_inference_steps=steps, guidance_scale=guidance)
        assert np.array_equal(said, image(tiny, "sdxl", model, quality=word, **own))
    sized = tiny.entry("sdxl", quality={"fast": {"width": 96, "height": 64, "num_inference_steps": 1}})
    made = image(tiny, "sdxl", sized, quality="fast", width=1024, height=1024)
    assert (64, 96, 3) == made.shape


@pytest.mark.contract("B45")
def test_a_resolution_is_made_by_a_model_that_has_it(tiny: TinyModels) -> None:
    able = tiny.entry("qwenimage", limits={"resolutions": ["2K", "4K"], "max_side": 4096})
    unable = tiny.entry("qwenimage")
    made = image(tiny, "qwenimage", able, resolution="2K", width=1024, height=64, num_inference_steps=1)
    assert (128, 2048, 3) == made.shape
    asked = ImageParams(prompt="a", resolution="4K")
    assert (4096, 4096) == (settle(able, asked).params.width, settle(able, asked).params.height)
    assert ("qwenimage makes 1K; this image is 1K",) == settle(unable, asked).warnings
    strict = tiny.entry("qwenimage", unsupported={"size": "refuse"})
    (unmet,) = unmet_requirements(strict, asked)
    assert "`resolution` must be 1K for qwenimage" == unmet.sentence


@pytest.mark.contract("B46")
def test_a_long_prompt_is_refused_or_cut(tiny: TinyModels) -> None:
    prompt = "a red apple on a table"
    strict, lenient = (
        tiny.entry("zimage", limits={"max_prompt_chars": 13}, unsupported={"prompt": policy})
        for policy in ("refuse", "adapt")
    )
    (unmet,) = unmet_requirements(strict, ImageParams(prompt=prompt))
    assert (OutOfRange, "`prompt` must have at most 13 characters for zimage") == (unmet.error, unmet.sentence)
    assert np.array_equal(image(tiny, "zimage", lenient), image(tiny, "zimage", lenient, prompt=prompt))
    assert ("zimage reads 13 characters of a prompt; the rest was cut off",) == settle(
        lenient, ImageParams(prompt=prompt)
    ).warnings


def planned(model: ModelSpec, count: int, **fields: Any) -> ImageParams | VideoParams:
    asked = MediaRequest(prompt="a red apple", source_media_urls=[URL] * count, **fields)
    params = plan_request(model, asked).params
    seconds = {"duration_seconds": 0.5} if isinstance(params, VideoParams) else {}
    return type(params)(**_fields(params) | {"width": 64, "height": 64, "num_inference_steps": 1} | seconds)


def _fields(params: ImageParams | VideoParams) -> dict[str, Any]:
    return {name: getattr(params, name) for name in params.__struct_fields__}


@pytest.mark.contract("B48", "B53", "B54", "B58")
def test_a_model_of_two_modes_takes_the_pictures_of_each(tiny: TinyModels) -> None:
    usual = tiny.entry("wan22")
    optional = tiny.entry("wan22", limits={"inputs": {"text-to-video": [0, 1]}})
    ran = [
        (usual, "text-to-video", 0),
        (usual, "image-to-video", 1),
        (optional, "text-to-video", 0),
        (optional, "text-to-video", 1),
        (optional, "image-to-video", 1),
    ]
    for model, mode, count in ran:
        assert "frames" in tiny.run("wan22", model, planned(model, count, generation_type=mode)).arrays
    refused = [
        (usual, "text-to-video", 1, "takes no pictures"),
        (usual, "image-to-video", 0, "takes exactly 1 picture"),
        (usual, "image-to-video", 2, "takes exactly 1 picture"),
        (optional, "text-to-video", 2, "takes 0 to 1 picture"),
    ]
    for model, mode, count, rule in refused:
        with pytest.raises(InvalidRequest, match=rule):
            planned(model, count, generation_type=mode)


@pytest.mark.contract("B49")
def test_a_film_from_a_start_frame_to_an_end_frame(tiny: TinyModels) -> None:
    model = tiny.entry("wan22a14b", limits={"inputs": {"image-to-video": [2, 2]}})
    assert "frames" in tiny.run("wan22a14b", model, planned(model, 2)).arrays
    with pytest.raises(InvalidRequest, match="takes exactly 2 pictures, and `source_media_urls` has 1"):
        planned(model, 1, generation_type="image-to-video")
    (unmet,) = unmet_requirements(model, VideoParams(input_image=URL))
    assert "$.last_image" == unmet.field


@pytest.mark.contract("B50")
def test_references_are_counted_by_mode(tiny: TinyModels) -> None:
    inputs = {"text-to-image": [0, 1], "image-to-image": [2, 3]}
    model = tiny.entry("flux2klein", limits={"max_references": 3, "inputs": inputs})
    for mode, counts in (("text-to-image", (0, 1)), ("image-to-image", (2, 3))):
        for count in counts:
            raw = tiny.run("flux2klein", model, planned(model, count, generation_type=mode))
            assert (64, 64, 3) == raw.arrays["0"].shape
    for mode, count, rule in (("text-to-image", 2, "takes 0 to 1 picture"), ("image-to-image", 1, "takes 2 to 3 pict")):
        with pytest.raises(InvalidRequest, match=rule):
            planned(model, count, generation_type=mode)


@pytest.mark.contract("B52")
def test_sixteen_pictures_are_edited_together(tiny: TinyModels) -> None:
    model = tiny.entry("flux2klein", limits={"max_references": 16})
    raw = tiny.run("flux2klein", model, planned(model, 16))
    assert (64, 64, 3) == raw.arrays["0"].shape
    with pytest.raises(OutOfRange, match="takes 1 to 16 pictures, and `source_media_urls` has 17"):
        planned(model, 17)


@pytest.mark.contract("B59")
def test_what_a_model_has_no_use_for_is_ignored(tiny: TinyModels) -> None:
    model = tiny.entry("zimage")
    asked = MediaRequest(prompt="a red apple", negative_prompt="blue", duration="5s", quality="ultra", sound=True)
    made = plan_request(model, asked)
    assert ImageParams(prompt="a red apple", model="zimage") == made.params
    assert 4 == len(made.warnings)
    assert (64, 64, 3) == image(tiny, "zimage", model, negative_prompt="blue", quality="ultra").shape
