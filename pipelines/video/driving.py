"""The driving film of motion control: how much of it is followed, and its frames at the new rate. No torch."""

from collections.abc import Callable, Iterator

import msgspec
from PIL import Image

from pipelines.catalog.requirements import MOTION
from pipelines.catalog.sizes import Size
from pipelines.catalog.spec import ModelSpec
from pipelines.image.arguments import cover
from pipelines.runtime.protocol import Inputs
from pipelines.video.clips import ClipFacts, read_facts, read_frames
from pipelines.video.frames import FramePlan, plan_frames


def driving_clip(inputs: Inputs) -> ClipFacts | None:
    """Return the facts of `motion_video`, if there is one."""
    return read_facts(inputs.files[MOTION]) if MOTION in inputs.files else None


def plan_driven(spec: ModelSpec, seconds: float, clip: ClipFacts, *, goes_on: bool = False) -> FramePlan:
    """Return the frames of a video of so many seconds, or of those of its driving film; `warnings` say what differs.

    It is one clip, unless the model `goes_on` with the film from one clip into the next.
    """
    has = clip.frames / clip.fps
    plan = plan_frames(spec, min(seconds, has, has if goes_on else spec.limits.clip_seconds or has))
    step = spec.limits.frame_step / plan.fps
    if has - plan.seconds > step:
        warning = f"{spec.id} follows the first {plan.seconds:.2f} s of `{MOTION}`, which has {has:.2f} s"
    elif seconds - plan.seconds > step:
        warning = f"`{MOTION}` has {has:.2f} s; {spec.id} makes {plan.seconds:.2f} s instead of {seconds:g} s"
    else:
        return plan
    return msgspec.structs.replace(plan, warnings=(*plan.warnings, warning))


def driving_frames(
    clip: ClipFacts, plan: FramePlan, size: Size, fit: Callable[[Image.Image, Size], Image.Image] = cover
) -> Iterator[Image.Image]:
    """Yield so many frames at the plan's rate, cropped to `size` or as `fit` does it; the last one stays at the end."""
    shown = (min(clip.frames - 1, round(number * clip.fps / plan.fps)) for number in range(plan.frames))
    place = next(shown, None)
    for number, pixels in enumerate(read_frames(clip)):
        frame = fit(Image.fromarray(pixels), size) if place == number else None
        while frame is not None and place == number:
            yield frame
            place = next(shown, None)
