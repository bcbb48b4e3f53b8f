"""The models that a card is measured with, their jobs, and the seconds that each stage is given."""

from importlib.util import find_spec
from typing import Any, Literal

import msgspec

Stage = Literal["weights", "compute", "engine", "service"]
TINY_SECONDS = 15.0
"""What a stage of a tiny model is taken to need."""


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """A model of `families/gpu_models.toml` and the job it is measured with; `count` jobs in a row.

    `variants` are other entries of that catalog that read the same checkpoint, of which only the computing is measured.
    `disk` is the size of its checkpoint in bytes. `seconds` are what each stage is taken to need on a card: sums of
    the sizes by the rates of one disk, bus and GPU, not measured ones. `inline` and `floor` are targets of ratios 2
    and 4.
    """

    model: str
    modality: str
    body: dict[str, Any]
    count: int
    disk: int
    seconds: dict[Stage, float]
    variants: tuple[str, ...] = ()
    inline: str = ""
    floor: str = ""


PICTURE = {"prompt": "a red apple on a table", "width": 1024, "height": 1024, "output_format": "png"}
FILM = {"prompt": "a red apple rolls", "width": 896, "height": 512, "duration_seconds": 2.0}
SPEECH = {
    "text": "The apple rolled off the table, over the floor, and out through the open door into the garden.",
    "max_new_tokens": 150,
    "output_format": "wav",
    "apply_watermark": False,
}
CASES = (
    Case(
        model="z-image",
        modality="image",
        body=PICTURE,
        count=12,
        disk=21_000_000_000,
        seconds={"weights": 60, "compute": 45, "engine": 100, "service": 90},
        variants=("z-image-float8",),
        inline="≥ 1.18",
        floor="≥ 0.72",
    ),
    Case(
        model="sdxl",
        modality="image",
        body=PICTURE,
        count=12,
        disk=7_000_000_000,
        seconds={"weights": 25, "compute": 45, "engine": 110, "service": 100},
        variants=("sdxl-graphs",),
        inline="≥ 1.18",
        floor="≥ 0.72",
    ),
    Case(
        model="speech",
        modality="speech",
        body=SPEECH,
        count=4,
        disk=3_200_000_000,
        seconds={"weights": 45, "compute": 75, "engine": 120, "service": 0},
    ),
    Case(
        model="wan22",
        modality="video",
        body=FILM | {"num_inference_steps": 10},
        count=3,
        disk=25_000_000_000,
        seconds={"weights": 70, "compute": 75, "engine": 140, "service": 120},
        inline="≥ 1.5",
    ),
)
"""The most wanted first: what no longer fits into the time is at the end."""

_SMALL: dict[str, dict[str, Any]] = {
    "image": {"width": 64, "height": 64, "num_inference_steps": 2},
    "video": {"width": 64, "height": 64, "num_inference_steps": 2, "duration_seconds": 0.2},
    "speech": {"text": "An apple.", "max_new_tokens": 12},
}


def tiny(case: Case) -> Case:
    """Return the same case with the tests' tiny checkpoint and a small job."""
    model = "tiny-speech" if case.modality == "speech" else case.model
    return msgspec.structs.replace(
        case,
        model=model,
        body=case.body | _SMALL[case.modality],
        count=2,
        disk=20_000_000,
        seconds=dict.fromkeys(case.seconds, TINY_SECONDS),
    )


def encodes(case: Case) -> bool:
    """Return whether this machine can encode what the case makes: only pictures need no PyAV."""
    return case.modality == "image" or find_spec("av") is not None
