"""Profiles: named defaults of image jobs, for what a request leaves at its own default."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from jobs.params.base import OutputFormat
from jobs.params.image import ImageParams, Side

_PLACE = re.compile(r"\{\{\s*user_prompt\s*\}\}")
_RENAMED = {"steps": "num_inference_steps", "cfg_scale": "guidance_scale"}
"""Names of a profile for fields of the parameters that have another one."""
_DEFAULTS = {field.name: field.default for field in msgspec.structs.fields(ImageParams)}

Name = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"\S", description="What you call it.")]
Tag = Annotated[str, Meta(min_length=1, max_length=100)]
Template = Annotated[
    str,
    Meta(max_length=4000, description="Words around the prompt, which `{{ user_prompt }}` stands for where it is in."),
]
Tags = Annotated[tuple[Tag, ...], Meta(max_length=50, description="Words of yours.")]
Text = Annotated[str, Meta(max_length=2000, description="What it is for.")]
Mode = Annotated[
    Literal["suffix", "prefix", "replace"], Meta(description="Where a template without `{{ user_prompt }}` goes.")
]
Negative = Annotated[str, Meta(max_length=4000, description="What to avoid.")]
Guidance = Annotated[float, Meta(ge=0, le=30, description="Adherence to the prompt.")]
Steps = Annotated[int, Meta(ge=1, le=200, description="Denoising steps.")]
Format = Annotated[OutputFormat, Meta(description="File format of the image.")]
SeedStrategy = Annotated[
    Literal["random", "fixed", "user"], Meta(description="`fixed`: `fixed_seed` where a request has none.")
]
FixedSeed = Annotated[int, Meta(ge=0, le=2**53 - 1, description="The seed of `fixed`.")]


class ProfileSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """The defaults of a profile; null leaves a field to the request, and to the model.

    A template without `{{ user_prompt }}` follows the prompt, precedes it or replaces it. With `seed_strategy: fixed`
    a request without a seed has `fixed_seed`.
    """

    tags: Tags = ()
    description: Text | None = None
    prompt_template: Template | None = None
    prompt_template_mode: Mode = "suffix"
    negative_prompt: Negative | None = None
    cfg_scale: Guidance | None = None
    steps: Steps | None = None
    width: Side | None = None
    height: Side | None = None
    output_format: Format | None = None
    seed_strategy: SeedStrategy = "random"
    fixed_seed: FixedSeed | None = None


class NewProfile(ProfileSnapshot, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A profile to make; only `name` is required."""

    name: Name


class ProfileChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The fields to change; others stay, and null removes a default."""

    name: Name | UnsetType = UNSET
    tags: Tags | UnsetType | None = UNSET
    description: Text | UnsetType | None = UNSET
    prompt_template: Template | UnsetType | None = UNSET
    prompt_template_mode: Mode | UnsetType = UNSET
    negative_prompt: Negative | UnsetType | None = UNSET
    cfg_scale: Guidance | UnsetType | None = UNSET
    steps: Steps | UnsetType | None = UNSET
    width: Side | UnsetType | None = UNSET
    height: Side | UnsetType | None = UNSET
    output_format: Format | UnsetType | None = UNSET
    seed_strategy: SeedStrategy | UnsetType = UNSET
    fixed_seed: FixedSeed | UnsetType | None = UNSET


def snapshot_of(row: Mapping[str, Any]) -> ProfileSnapshot:
    """Return the snapshot in a row, without the fields that this version does not know."""
    return msgspec.convert(dict(row), ProfileSnapshot)


def changed_snapshot(snapshot: ProfileSnapshot, change: ProfileChange) -> ProfileSnapshot:
    """Return a snapshot with the fields that a change names; null is the default of the field."""
    empty = ProfileSnapshot()
    values = {
        field: getattr(empty, field) if (value := getattr(change, field)) is None else value
        for field in ProfileSnapshot.__struct_fields__
        if getattr(change, field) is not UNSET
    }
    return msgspec.structs.replace(snapshot, **values)


def apply_profile(params: ImageParams, snapshot: ProfileSnapshot, defaults: Mapping[str, Any]) -> ImageParams:
    """Return the parameters with a profile's defaults in place of the route's.

    A value that equals the default of the route yields to the profile, since clients send defaults, too. `defaults` are
    those of the route that are not the parameters' own.
    """
    usual = _DEFAULTS | dict(defaults)
    changes: dict[str, Any] = {"prompt": _prompt(params.prompt, snapshot)}
    for name in ("negative_prompt", "cfg_scale", "steps", "width", "height", "output_format"):
        field, value = _RENAMED.get(name, name), getattr(snapshot, name)
        if value is not None and getattr(params, field) == usual[field]:
            changes[field] = value
    if snapshot.seed_strategy == "fixed" and snapshot.fixed_seed is not None and params.seed == usual["seed"]:
        changes["seed"] = snapshot.fixed_seed
    return msgspec.structs.replace(params, **changes)


def _prompt(prompt: str, snapshot: ProfileSnapshot) -> str:
    template = snapshot.prompt_template
    if not template:
        return prompt
    if _PLACE.search(template):
        return _PLACE.sub(lambda _: prompt, template)
    match snapshot.prompt_template_mode:
        case "prefix":
            return f"{template}, {prompt}"
        case "replace":
            return template
        case _:
            return f"{prompt}, {template}"
