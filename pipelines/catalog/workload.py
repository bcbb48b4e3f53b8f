"""The workload of a request: what makes one job of a model take longer than another.

No torch, no numpy: the API imports this module.
"""

import math
from collections.abc import Mapping
from typing import Any

import msgspec

from jobs.params.base import Resolution
from jobs.params.media import PICTURE_NAMES
from jobs.params.registry import PARAMS_OF, AnyParams, Modality
from pipelines.catalog.spec import TIMED, ModelSpec

USUAL_CHARACTERS = 200
"""Characters of a usual text to speech: some twelve seconds of sound."""
USUAL_SECONDS: Mapping[Modality, float] = {"video": 2.0, "sound": 5.0, "music": 30.0}
"""Seconds of a usual video, sound or piece of music, the default of its route."""
USUAL_TOKENS = 256
"""Tokens of a usual text."""
CLASSES_PER_DOUBLING = 2
"""Sizes of one class differ by less than this root of two."""
LEAST_SHARE = 0.1
"""What is left of a job's seconds however small it is: its prompt, its files and its claim take as long."""


class Workload(msgspec.Struct, frozen=True, kw_only=True):
    """The work of a request.

    - `kind`: the quality preset, the mode, the number of inputs, whether one is a film that others of the modality
      have as a picture, and the number of LoRAs; other kinds compute other things.
    - `steps`: denoising steps, 1 where there are none.
    - `outputs`: how many are made, each with all of the steps.
    - `size`: of one output, in megapixels (of a video times its seconds), characters, seconds, or tokens at most; 1
      where the request does not say it.
    """

    kind: str
    steps: int = 1
    outputs: int = 1
    size: float = 1.0

    @property
    def amount(self) -> float:
        """The work of the whole job; of two jobs of one kind the one with twice the amount takes about twice as long.

        A step of a diffusion model computes every pixel, so its work is the pixels times the steps.
        """
        return self.size * self.steps * self.outputs

    def is_like(self, other: "Workload") -> bool:
        """Return whether the other one has the same kind, steps and number of outputs, and about the same size."""
        mine, others = ((one.kind, one.steps, one.outputs, _size_class(one.size)) for one in (self, other))
        return mine == others


class _Fields(msgspec.Struct, frozen=True, kw_only=True):
    """The fields that a workload follows from, of whatever modality; those of another one keep their defaults."""

    quality: str = "standard"
    mode: str = ""
    num_images: int = 1
    num_inference_steps: int | None = None
    strength: float | None = None
    width: int = 0
    height: int = 0
    resolution: Resolution | None = None
    duration_seconds: float = 0.0
    max_tokens: int = USUAL_TOKENS
    loras: tuple[Any, ...] = ()


def workload_of(spec: ModelSpec, params: AnyParams) -> Workload:
    """Return the workload of a request for a model."""
    return _workload(spec, msgspec.structs.asdict(params))


def workload_of_row(spec: ModelSpec, params: Mapping[str, Any], characters: int | None = None) -> Workload | None:
    """Return the workload of a job by the parameters in its row; None where they were removed, or cannot be read.

    `characters` is the length of the text, where `params` are without it.
    """
    try:
        return _workload(spec, params, characters) if params else None
    except msgspec.ValidationError:  # a newer version has written them
        return None


def proportion(workload: Workload, to: Workload) -> float:
    """Return how many times as long a workload takes as another one, about."""
    return max(LEAST_SHARE, workload.amount / to.amount)


def catalog_seconds(spec: ModelSpec, workload: Workload | None) -> float:
    """Return the seconds that a job takes by the catalog: of the model's usual job, in proportion to the work."""
    if workload is None:
        return spec.estimated_seconds
    usual = {
        "width": spec.defaults.width,
        "height": spec.defaults.height,
        "duration_seconds": USUAL_SECONDS.get(spec.modality, 0.0),
    }
    return spec.estimated_seconds * proportion(workload, _workload(spec, usual, USUAL_CHARACTERS))


def _workload(spec: ModelSpec, fields: Mapping[str, Any], characters: int | None = None) -> Workload:
    """Return the workload of a request by its fields. Raises `msgspec.ValidationError`."""
    read = msgspec.convert(fields, _Fields)
    named = {name: fields.get(name) for name in PARAMS_OF[spec.modality].media}
    inputs = sum(len(value) if isinstance(value, list | tuple) else value is not None for value in named.values())
    is_repainted = any(fields.get(name) is not None for name in ("mask", "padding"))
    starts_from_picture = any(named.get(name) is not None for name in PICTURE_NAMES)
    further = (" film" if named.get("input_video") is not None else "") + (
        f" {len(read.loras)} loras" if read.loras else ""
    )
    return Workload(
        kind=f"{read.quality} {read.mode} {inputs}{further}",
        steps=_steps(spec, read, starts_from_picture=starts_from_picture, is_repainted=is_repainted),
        outputs=read.num_images,
        size=_size(spec, read, len(fields.get("text", "")) if characters is None else characters),
    )


def _steps(spec: ModelSpec, read: _Fields, *, starts_from_picture: bool, is_repainted: bool) -> int:
    """Return the steps that are computed: of a picture that is changed only the share of `strength`, as in diffusers.

    Under a mask, and beyond its sides, it is painted wholly unless the request says otherwise.

    That rule is `int(num_inference_steps * strength)` of its image-to-image pipelines.
    """
    steps = spec.steps_of(read) or 1
    usual = None if is_repainted else spec.defaults.strength
    strength = usual if read.strength is None else read.strength
    is_changed = is_repainted or "image-to-image" in spec.capabilities
    if not (starts_from_picture and is_changed and strength):
        return steps
    return max(1, int(steps * strength))


def _size(spec: ModelSpec, read: _Fields, characters: int) -> float:
    """Return the size of one output; a model with native sizes makes one of those whatever is asked for."""
    if spec.modality == "speech":
        return float(max(1, characters))
    if spec.modality == "text":
        return float(read.max_tokens)
    seconds = spec.limits.nearest_seconds(read.duration_seconds) if spec.modality in TIMED else 1.0
    if spec.modality not in ("image", "video"):
        return seconds
    width, height = spec.size_of(read)
    megapixels = 1.0 if spec.limits.native_sizes else max(1, width * height) / 1e6
    return megapixels * seconds


def _size_class(size: float) -> int:
    return round(CLASSES_PER_DOUBLING * math.log2(size))
