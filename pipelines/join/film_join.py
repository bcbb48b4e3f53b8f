"""The family `film-join`: films one after the other. No weights, no GPU.

All frames of all films are in the joined one, in their order, with their sound. The first film decides size and rate.
"""

from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from core.errors.fields import NotThisModel
from jobs.params.join import JoinParams
from pipelines.catalog.spec import ModelSpec
from pipelines.runtime.protocol import Inputs, RawOutput, RunContext
from pipelines.video.clip_sound import joined_sound
from pipelines.video.clips import MOST_BYTES, ClipFacts, read_facts
from pipelines.video.color import empty_video

Size = tuple[int, int]


class FilmJoin:
    """Reads the films and puts their frames together."""

    def __init__(self, spec: ModelSpec, weights: Path, device: str) -> None:
        self.spec = spec

    def run(self, params: JoinParams, inputs: Inputs, ctx: RunContext) -> RawOutput:
        """Return the `frames` of all films, and the `sound` where any has some; report after every film.

        Raises `NotThisModel` for too many of them.
        """
        clips = [read_facts(inputs.files[f"films.{number}"]) for number in range(len(params.films))]
        (width, height), fps = clips[0].size, clips[0].fps
        counts = [clip.count_at(fps) for clip in clips]
        self._check_length(sum(counts), fps, width * height * 3 // 2)
        warnings = tuple(_differences(clips))
        for warning in warnings:
            ctx.warn(warning)
        ctx.progress(0.0, "prepare")
        frames, begin = empty_video(ctx, sum(counts), width, height), 0
        for number, (clip, count) in enumerate(zip(clips, counts, strict=True), 1):
            _fill(frames[begin : begin + count], clip)
            begin += count
            ctx.progress(number / (len(clips) + 1), "step" if number < len(clips) else "encode")
        sound = joined_sound([clip.file for clip in clips], counts, fps)
        return RawOutput(
            arrays={"frames": frames} | ({} if sound is None else {"sound": sound}),
            warnings=warnings,
            metadata={"seed": ctx.seed, "fps": fps, "frames": len(frames), "films": len(clips)},
        )

    def _check_length(self, frames: int, fps: int, frame_bytes: int) -> None:
        most = self.spec.limits.max_seconds
        if frames > most * fps:
            raise NotThisModel(
                f"The films have {frames / fps:g} s together, and a joined one at most {most:g} s; join fewer.",
                field="$.films",
            )
        if frames * frame_bytes > MOST_BYTES:
            raise NotThisModel("The films are too large together; join fewer, or smaller ones.", field="$.films")


def _differences(clips: list[ClipFacts]) -> Iterator[str]:
    first = clips[0]
    for number, clip in enumerate(clips[1:], 2):
        if clip.size != first.size:
            sizes = [f"{size[0]}x{size[1]}" for size in (clip.size, first.size)]
            yield f"film {number} has {sizes[0]}; it was made {sizes[1]}, as the first one"
        if clip.fps != first.fps:
            yield f"film {number} has {clip.fps} frames a second; it is shown at {first.fps}, as the first one"


def _fill(frames: NDArray[np.uint8], clip: ClipFacts) -> None:
    """Write the frames of a film into `frames`, each as often as the rate there shows it."""
    shown = [min(clip.frames - 1, place * clip.frames // len(frames)) for place in range(len(frames))]
    place = 0
    for number, planes in enumerate(_planes(clip, (frames.shape[2], frames.shape[1] * 2 // 3))):
        while place < len(shown) and shown[place] <= number:
            frames[place] = planes
            place += 1
    if place == 0:
        raise NotThisModel("One of the films has no frame that can be decoded.", field="$.films")
    frames[place:] = frames[place - 1]


def _planes(clip: ClipFacts, size: Size) -> Iterator[NDArray[np.uint8]]:
    """Yield the planes of each frame in this size: what covers it, and of that the middle."""
    scale = max(size[0] / clip.size[0], size[1] / clip.size[1])
    width, height = (max(side, 2 * round(own * scale / 2)) for side, own in zip(size, clip.size, strict=True))
    left, top = (width - size[0]) // 4 * 2, (height - size[1]) // 4 * 2
    with av.open(str(clip.file), format="mp4") as container:
        for frame in container.decode(video=0):
            planes: NDArray[np.uint8] = np.asarray(
                frame.reformat(width=width, height=height, format="yuv420p").to_ndarray(), np.uint8
            )
            yield planes if (width, height) == size else _cropped(planes, (width, height), (left, top), size)


def _cropped(planes: NDArray[np.uint8], whole: Size, at: Size, size: Size) -> NDArray[np.uint8]:
    """Return a window of a frame of 4:2:0, whose place and sides are even."""
    (width, height), (left, top) = whole, at
    luma = planes[:height][top : top + size[1], left : left + size[0]]
    chroma = planes[height:].reshape(2, height // 2, width // 2)
    half = chroma[:, top // 2 : (top + size[1]) // 2, left // 2 : (left + size[0]) // 2]
    return np.concatenate([luma, half.reshape(-1, size[0])])
