from typing import Any

import msgspec
import pytest
from PIL import Image

from jobs.params.image import ImageParams
from pipelines.catalog.spec import ModelSpec
from pipelines.image.arguments import Call, Plan, cover, plan_call
from pipelines.image.inputs import ImageInputs
from pipelines.image.size import plan_size
from tests.support.checkpoints.specs import spec

ALL = Call(
    accepts=frozenset(
        {"prompt", "width", "height", "num_inference_steps", "guidance_scale", "negative_prompt", "image", "strength"}
    )
)
TRUE_CFG = msgspec.structs.replace(
    ALL, accepts=ALL.accepts | {"true_cfg_scale"}, guidance="true_cfg_scale", no_negative_prompt=" "
)
USES_NEGATIVE = ["text-to-image", "negative-prompt"]
START = ImageInputs(start=Image.new("RGB", (100, 50), "red"))


def plan(model: ModelSpec, call: Call = ALL, images: ImageInputs = ImageInputs(), **params: Any) -> Plan:  # noqa: B008
    asked = ImageParams(prompt="a cat", width=64, height=64, **params)
    return plan_call(model, asked, plan_size(model, (64, 64), 8), call, images)


def arguments(model: ModelSpec, accepts: frozenset[str], **params: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    found = plan(model, Call(accepts=accepts), **params)
    return found.arguments, found.warnings


def test_what_the_caller_leaves_out_comes_from_the_model() -> None:
    model = spec(defaults={"num_inference_steps": 4, "guidance_scale": 0.0})

    found, warnings = arguments(model, ALL.accepts)

    assert {"prompt": "a cat", "width": 64, "height": 64, "num_inference_steps": 4, "guidance_scale": 0.0} == found
    assert () == warnings


def test_what_the_model_leaves_out_is_left_to_the_pipeline() -> None:
    assert {"prompt", "width", "height"} == set(arguments(spec(), ALL.accepts)[0])


def test_the_caller_comes_first() -> None:
    model = spec(defaults={"num_inference_steps": 4, "guidance_scale": 5.0}, capabilities=USES_NEGATIVE)

    found, _ = arguments(model, ALL.accepts, num_inference_steps=9, guidance_scale=0, negative_prompt="dogs")

    assert (9, 0, "dogs") == (found["num_inference_steps"], found["guidance_scale"], found["negative_prompt"])


def test_what_the_pipeline_does_not_take_is_left_out_and_said() -> None:
    model = spec(capabilities=USES_NEGATIVE)

    found, warnings = arguments(model, frozenset({"prompt"}), negative_prompt="dogs", guidance_scale=3)

    assert {"prompt": "a cat"} == found
    assert (
        "tiny does not use `negative_prompt`; it was ignored",
        "tiny does not use `guidance_scale`; it was ignored",
    ) == warnings


def test_an_unsupported_default_is_left_out_without_a_warning() -> None:
    model = spec(defaults={"guidance_scale": 5.0})

    assert () == arguments(model, frozenset({"prompt"}))[1]


def test_a_negative_prompt_goes_only_to_a_model_that_uses_one() -> None:
    found, warnings = arguments(spec(), ALL.accepts, negative_prompt="dogs")

    assert "negative_prompt" not in found
    assert ("tiny does not use `negative_prompt`; it was ignored",) == warnings


def test_an_empty_negative_prompt_is_none() -> None:
    assert () == arguments(spec(), ALL.accepts, negative_prompt="")[1]


def test_the_size_comes_from_the_plan_with_its_warning() -> None:
    model = spec(id="shapes", limits={"native_sizes": [[256, 256]]})
    size = plan_size(model, (1024, 1024), 8)

    found = plan_call(model, ImageParams(prompt="a cat"), size, ALL, ImageInputs())

    assert (256, 256) == (found.arguments["width"], found.arguments["height"])
    assert ("shapes draws 256x256; resized to 1024x1024",) == found.warnings


class TestQuality:
    model = spec(
        defaults={"num_inference_steps": 30, "guidance_scale": 5.0},
        quality={"fast": {"num_inference_steps": 8, "lora": "quick"}, "pro": {"guidance_scale": 7.0}},
        loras={"quick": {"source": {"path": "quick"}, "file": "quick.safetensors"}},
    )

    @pytest.mark.parametrize(
        ("quality", "steps", "guidance", "loras"),
        [("fast", 8, 5.0, (("quick", 1.0),)), ("standard", 30, 5.0, ()), ("pro", 30, 7.0, ())],
    )
    def test_a_preset_wins_over_the_defaults(self, quality: str, steps: int, guidance: float, loras: Any) -> None:
        found = plan(self.model, quality=quality)

        assert (steps, guidance) == (found.arguments["num_inference_steps"], found.arguments["guidance_scale"])
        assert loras == found.loras
        assert () == found.warnings

    def test_a_field_of_the_request_wins_over_the_preset(self) -> None:
        found = plan(self.model, quality="fast", num_inference_steps=3, guidance_scale=0)

        assert (3, 0) == (found.arguments["num_inference_steps"], found.arguments["guidance_scale"])
        assert (("quick", 1.0),) == found.loras

    def test_a_preset_that_the_model_lacks_is_said(self) -> None:
        found = plan(self.model, quality="ultra")

        assert 30 == found.arguments["num_inference_steps"]
        assert ("tiny has no preset 'ultra'; its standard one was used",) == found.warnings


class TestTrueGuidance:
    """Pipelines whose guidance has another name, and happens only with a negative prompt."""

    model = spec(capabilities=USES_NEGATIVE, defaults={"guidance_scale": 4.0})

    def test_the_scale_goes_by_its_name_and_none_is_a_space(self) -> None:
        found = plan(self.model, TRUE_CFG).arguments

        assert (4.0, " ") == (found["true_cfg_scale"], found["negative_prompt"])
        assert "guidance_scale" not in found

    def test_a_negative_prompt_takes_the_place_of_the_space(self) -> None:
        assert "dogs" == plan(self.model, TRUE_CFG, negative_prompt="dogs").arguments["negative_prompt"]

    def test_without_guidance_there_is_no_negative_prompt(self) -> None:
        assert "negative_prompt" not in plan(self.model, TRUE_CFG, guidance_scale=1).arguments

    def test_a_negative_prompt_without_guidance_is_said(self) -> None:
        found = plan(self.model, TRUE_CFG, guidance_scale=1, negative_prompt="dogs")

        assert ("`negative_prompt` has no effect at a `guidance_scale` of 1; it needs more than 1",) == found.warnings


class TestImages:
    model = spec(defaults={"num_inference_steps": 10})

    def test_the_image_to_start_from_covers_the_size_that_is_made(self) -> None:
        found = plan(self.model, images=START).arguments

        assert (64, 64) == found["image"].size
        assert 0.6 == found["strength"]

    def test_what_does_not_fit_is_cut_off_evenly(self) -> None:
        image = Image.new("RGB", (128, 64), "red")
        image.paste("blue", (32, 0, 96, 64))

        assert [(4096, (0, 0, 255))] == cover(image, (64, 64)).getcolors()

    def test_strength_of_the_caller_then_of_the_model(self) -> None:
        model = spec(defaults={"strength": 0.3})

        assert 0.3 == plan(model, images=START).arguments["strength"]
        assert 0.9 == plan(model, images=START, strength=0.9).arguments["strength"]

    @pytest.mark.parametrize("steps", [1, 7, 30, 49, 93, 200])
    def test_a_strength_of_less_than_a_step_makes_one(self, steps: int) -> None:
        found = plan(self.model, images=START, strength=0.001, num_inference_steps=steps)

        assert 1 == int(steps * found.arguments["strength"])
        assert (f"`strength` 0.001 of {steps} steps is less than one step; one was made",) == found.warnings

    @pytest.mark.parametrize(("steps", "made", "count"), [(10, 6, 3), (20, 12, 3), (1, 1, 5)])
    def test_a_start_image_leaves_the_ratios_of_the_last_steps(self, steps: int, made: int, count: int) -> None:
        ratios = [1.0, 0.9, 0.8, 0.7, 0.6]
        model = spec(quality={"fast": {"cache": "magcache", "cache_ratios": ratios, "num_inference_steps": steps}})

        whole, part = (plan(model, images=images, quality="fast").reuse for images in (ImageInputs(), START))
        assert whole is not None
        assert part is not None
        assert (tuple(ratios), steps) == (whole.ratios, whole.steps)
        assert (tuple(ratios[-count:]), made) == (part.ratios, part.steps)

    def test_strength_without_an_image_is_said(self) -> None:
        found = plan(self.model, strength=0.5)

        assert "strength" not in found.arguments
        assert ("`strength` needs an image to start from; it was ignored",) == found.warnings

    def test_references_are_one_list(self) -> None:
        image = Image.new("RGB", (64, 64))

        assert [image, image] == plan(self.model, images=ImageInputs(None, (image, image))).arguments["image"]
