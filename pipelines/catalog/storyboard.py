"""Storyboards as chains: each shot is a first frame and a film that begins with it, and the films are joined."""

from collections.abc import Iterator
from typing import TypeVar

import msgspec

from core.errors.fields import InvalidRequest, NotThisModel, OutOfRange
from jobs.params.base import Params
from jobs.params.image import ImageParams
from jobs.params.join import JoinParams
from jobs.params.registry import AnyParams
from jobs.params.requests.storyboard import Shot, StoryboardParams
from jobs.params.video import VideoParams
from pipelines.catalog.sizes import IMAGE_SIDES, fit_sides
from pipelines.catalog.spec import ModelSpec

P = TypeVar("P", bound=Params)
PICTURE_STEP = 8
"""Sides of a first frame are multiples of it."""


class PlannedStep(msgspec.Struct, frozen=True):
    """A step of the chain: its name, its parameters, and the number of its shot; None is the joined film."""

    name: str
    params: AnyParams
    shot: int | None


class PlannedStoryboard(msgspec.Struct, frozen=True):
    """The steps of a storyboard, and sentences about what is made otherwise than asked for."""

    steps: tuple[PlannedStep, ...]
    warnings: tuple[str, ...] = ()


def plan_storyboard(spec: ModelSpec, params: StoryboardParams) -> PlannedStoryboard:
    """Return the chain that makes the shots with this model of videos.

    A shot begins with its `image`, with the last frame of the shot before, or with a picture that is drawn for it; of a
    model that takes no picture it is made from its prompt alone. Raises `OutOfRange`, `NotThisModel` and
    `InvalidRequest` with the field at fault.
    """
    _check_number(spec, len(params.shots))
    steps: list[PlannedStep] = []
    for number, shot in enumerate(params.shots):
        steps += _shot(spec, params, number, shot)
    films = tuple(f"step:{step.name}" for step in steps if isinstance(step.params, VideoParams))
    if len(films) > 1:
        joined = JoinParams(films=films, output_format=params.output_format, watermark=params.watermark)
        steps.append(PlannedStep("film", _with_controls(joined, params), None))
    if len(steps) == 1:
        return PlannedStoryboard(tuple(steps))
    shots = "1 shot is" if len(films) == 1 else f"{len(films)} shots are"
    return PlannedStoryboard(
        tuple(steps), (f"{spec.id} makes one shot from its first frame: {shots} a chain of {len(steps)} jobs",)
    )


def _check_number(spec: ModelSpec, shots: int) -> None:
    most = spec.limits.max_shots
    if shots > most:
        rule = "a single shot" if most == 1 else f"at most {most} shots"
        raise OutOfRange(f"{spec.id} makes {rule}, and `shots` has {shots}; remove some.", field="$.shots")


def _shot(spec: ModelSpec, params: StoryboardParams, number: int, shot: Shot) -> Iterator[PlannedStep]:
    place, begins = f"$.shots[{number}]", "image-to-video" in spec.capabilities
    prompt = shot.prompt if params.prompt is None else f"{params.prompt.rstrip()} {shot.prompt}"
    first = shot.image
    if shot.continues:
        if number == 0 or shot.image is not None:
            why = "the first shot has none before it" if number == 0 else "`image` is its first frame"
            raise InvalidRequest(f"`continues` cannot be here: {why}; remove it.", field=f"{place}.continues")
        first = f"step:shot-{number}/last"
    elif first is None and number == 0 and not params.elements:
        first = params.input_image
    if first is not None and not begins:
        field = f"{place}.continues" if shot.continues else f"{place}.image" if shot.image else "$.input_image"
        raise NotThisModel(f"{spec.id} begins with no picture; remove `{field.rpartition('.')[2]}`.", field=field)
    if params.elements and not begins:
        raise NotThisModel(
            f"{spec.id} begins with no picture, and so follows no `elements`; remove them.", field="$.elements"
        )
    if first is None and begins:
        name = f"picture-{number + 1}"
        yield PlannedStep(name, _with_controls(_picture(params, prompt), params), number)
        first = f"step:{name}"
    yield PlannedStep(f"shot-{number + 1}", _film(spec, params, shot, prompt, first), number)


def _picture(params: StoryboardParams, prompt: str) -> ImageParams:
    width, height = fit_sides(params.width, params.height, IMAGE_SIDES, PICTURE_STEP)
    return ImageParams(
        prompt=prompt,
        model=params.image_model,
        reference_images=(params.input_image,) if params.elements and params.input_image else (),
        elements=params.elements,
        negative_prompt=params.negative_prompt,
        width=width,
        height=height,
        seed=params.seed,
        output_format="png",
        watermark=params.watermark,
    )


def _film(spec: ModelSpec, params: StoryboardParams, shot: Shot, prompt: str, first: str | None) -> VideoParams:
    film = VideoParams(
        model=spec.id,
        prompt=prompt,
        input_image=first,
        negative_prompt=params.negative_prompt,
        quality=params.quality,
        width=params.width,
        height=params.height,
        seed=params.seed,
        output_format=params.output_format,
        watermark=params.watermark,
        server_id=params.server_id,
        pin=params.pin,
        prefer_seconds=params.prefer_seconds,
    )
    if shot.duration_seconds is not None:
        film = msgspec.structs.replace(film, duration_seconds=shot.duration_seconds)
    return _with_controls(film, params)


def _with_controls(step: P, params: StoryboardParams) -> P:
    """Return a step with the storyboard's priority, labels and deadlines."""
    return msgspec.structs.replace(
        step,
        priority=params.priority,
        labels=params.labels,
        deadline_seconds=params.deadline_seconds,
        start_within_seconds=params.start_within_seconds,
    )
