from typing import Any

from jobs.params import ImageParams
from pipelines.image.arguments import call_arguments
from pipelines.image.size import plan_size
from pipelines.spec import ModelSpec
from tests.support.specs import spec

ALL = frozenset({"prompt", "width", "height", "num_inference_steps", "guidance_scale", "negative_prompt"})
USES_NEGATIVE = ["text-to-image", "negative-prompt"]


def arguments(model: ModelSpec, accepts: frozenset[str], **params: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    asked = ImageParams(prompt="a cat", width=64, height=64, **params)
    return call_arguments(model, asked, plan_size(model, (64, 64), 8), accepts)


def test_what_the_caller_leaves_out_comes_from_the_model() -> None:
    model = spec(defaults={"num_inference_steps": 4, "guidance_scale": 0.0})

    found, warnings = arguments(model, ALL)

    assert {"prompt": "a cat", "width": 64, "height": 64, "num_inference_steps": 4, "guidance_scale": 0.0} == found
    assert () == warnings


def test_what_the_model_leaves_out_is_left_to_the_pipeline() -> None:
    assert {"prompt", "width", "height"} == set(arguments(spec(), ALL)[0])


def test_the_caller_comes_first() -> None:
    model = spec(defaults={"num_inference_steps": 4, "guidance_scale": 5.0}, capabilities=USES_NEGATIVE)

    found, _ = arguments(model, ALL, num_inference_steps=9, guidance_scale=0, negative_prompt="dogs")

    assert (9, 0, "dogs") == (found["num_inference_steps"], found["guidance_scale"], found["negative_prompt"])


def test_what_the_pipeline_does_not_take_is_left_out_and_said() -> None:
    model = spec(capabilities=USES_NEGATIVE)

    found, warnings = arguments(model, frozenset({"prompt"}), negative_prompt="dogs", guidance_scale=3)

    assert {"prompt": "a cat"} == found
    assert (
        "tiny does not use negative_prompt; it was ignored",
        "tiny does not use guidance_scale; it was ignored",
    ) == warnings


def test_a_default_that_the_pipeline_does_not_take_is_left_out_in_silence() -> None:
    model = spec(defaults={"guidance_scale": 5.0})

    assert () == arguments(model, frozenset({"prompt"}))[1]


def test_a_negative_prompt_goes_only_to_a_model_that_uses_one() -> None:
    found, warnings = arguments(spec(), ALL, negative_prompt="dogs")

    assert "negative_prompt" not in found
    assert ("tiny does not use negative_prompt; it was ignored",) == warnings


def test_an_empty_negative_prompt_is_none() -> None:
    assert () == arguments(spec(), ALL, negative_prompt="")[1]


def test_the_size_comes_from_the_plan_with_its_warning() -> None:
    model = spec(id="shapes", limits={"native_sizes": [[256, 256]]})
    plan = plan_size(model, (1024, 1024), 8)

    found, warnings = call_arguments(model, ImageParams(prompt="a cat"), plan, ALL)

    assert (256, 256) == (found["width"], found["height"])
    assert ("shapes draws 256x256; resized to 1024x1024",) == warnings
