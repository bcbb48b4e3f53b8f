"""A profile's defaults in the parameters of a job."""

import msgspec
import pytest

from jobs.params.image import ImageParams
from jobs.profiles import ProfileChange, ProfileSnapshot, apply_profile, changed_snapshot


def applied(snapshot, defaults=None, **fields):
    return apply_profile(ImageParams(**({"prompt": "a chair"} | fields)), ProfileSnapshot(**snapshot), defaults or {})


@pytest.mark.parametrize(
    ("template", "mode", "prompt"),
    [
        (None, "suffix", "a chair"),
        ("soft light", "suffix", "a chair, soft light"),
        ("soft light", "prefix", "soft light, a chair"),
        ("soft light", "replace", "soft light"),
        ("photo of {{ user_prompt }}, 85mm", "suffix", "photo of a chair, 85mm"),
        (r"{{user_prompt}} \1", "replace", r"a chair \1"),
    ],
)
def test_a_template_goes_around_the_prompt(template, mode, prompt):
    assert prompt == applied({"prompt_template": template, "prompt_template_mode": mode}).prompt


def test_values_at_the_routes_default_yield_to_the_profile():
    snapshot = {"width": 512, "height": 768, "steps": 8, "cfg_scale": 2.5, "output_format": "png"}
    made = applied(snapshot, width=1024, height=1024, output_format="webp")
    assert (512, 768, 8, 2.5, "png") == (
        made.width,
        made.height,
        made.num_inference_steps,
        made.guidance_scale,
        made.output_format,
    )


def test_what_the_caller_chose_stays():
    made = applied({"width": 512, "steps": 8, "negative_prompt": "blur"}, width=640, num_inference_steps=4)
    assert (640, 4, "blur") == (made.width, made.num_inference_steps, made.negative_prompt)


def test_a_route_may_have_other_defaults():
    snapshot, usual = {"width": 512, "height": 512}, {"width": 768, "height": 1024}
    made = applied(snapshot, usual, width=768, height=768)
    assert (512, 768) == (made.width, made.height)


@pytest.mark.parametrize(
    ("strategy", "asked", "seed"), [("random", -1, -1), ("fixed", -1, 7), ("fixed", 3, 3), ("user", 3, 3)]
)
def test_the_seed_follows_the_strategy(strategy, asked, seed):
    assert seed == applied({"seed_strategy": strategy, "fixed_seed": 7}, seed=asked).seed


def test_a_change_names_what_it_changes():
    snapshot = ProfileSnapshot(steps=8, width=512, tags=("a",))
    change = msgspec.json.decode(b'{"steps": 12, "width": null, "tags": null}', type=ProfileChange)
    assert ProfileSnapshot(steps=12) == changed_snapshot(snapshot, change)


def test_a_change_has_the_fields_of_a_snapshot():
    assert {"name", *ProfileSnapshot.__struct_fields__} == set(ProfileChange.__struct_fields__)
