"""A pipeline family whose behavior the prompt commands, for fault tests and benchmarks; no torch, no weights.

The prompt is words `key=value`; other words mean nothing::

    compute=0.1     seconds of "computing", spread over the steps (default 0)
    steps=5         progress reports while computing (default 1)
    load=2          in the spec's title, not the prompt: seconds that loading takes
    cold=1          in the spec's title: the first run, before any job, fails
    sleep=2         seconds without a report before the first step, deaf to cancel
    fail=text       raise RuntimeError(text) after the computing
    oom=1           raise MemoryError after the computing
    oom_once=1      the same, but only when this process sees the seed for the first time
    nan=1           raise NotFinite after the computing
    fault=1         raise what torch raises for a device that is broken
    leak=1000000    keep so many bytes for ever
    crash=1         end the engine process on the spot, exit status 66
    hang=1          sleep for ever, deaf to cancel
    null=1          return at once, no progress report
    echo=1          the images are the inputs', in the order of their names, instead of the seed's
    placed=1        the first image is made in the space that the context has for it
    side=8          width and height of the image in pixels
    warn=text       one warning
    noisy=1         print, warn, log as libraries do, and write to the descriptors, each with the word "noise"

`crash_at=2`, `hang_at=2` do it before step 2 (counted from 0) instead of before the first. A cut-out has no prompt,
so nothing can be ordered of one.
"""

import logging
import os
import sys
import threading
import time
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.errors.failures import NotFinite
from jobs.params.cutout import CutoutParams
from jobs.params.image import ImageParams
from jobs.params.registry import AnyParams
from pipelines.catalog.spec import ModelSpec
from pipelines.image import encode as images
from pipelines.runtime.protocol import Inputs, Outputs, RawOutput, RunContext

EXIT_STATUS = 66


class Chaos:
    """`num_images` 8x8 images made of the seed, after whatever the prompt ordered."""

    def __init__(self, spec: ModelSpec, weights: Path, device: str) -> None:
        self._title = _orders(spec.title)
        time.sleep(float(self._title.get("load", 0)))

    def warm_up(self, ctx: RunContext) -> None:
        """One report, after which it may go wrong."""
        ctx.progress(0.0, "compile")
        if "cold" in self._title:
            raise RuntimeError("the first run")

    def run(self, params: AnyParams, inputs: Inputs, ctx: RunContext) -> RawOutput:
        """See the module: `params.prompt` commands."""
        orders = _orders(getattr(params, "prompt", ""))
        warnings = tuple(text for text in [orders.get("warn")] if text)
        for text in warnings:
            ctx.warn(text)
        if "noisy" in orders:
            _make_noise()
        steps, side = int(orders.get("steps", 1)), int(orders.get("side", 8))
        room = ctx.empty("0", (side, side, 3)) if "placed" in orders else None
        if "null" not in orders:
            _compute(orders, steps, ctx)
        if "fail" in orders:
            raise RuntimeError(orders["fail"])
        _go_wrong(orders, ctx.seed)
        count = getattr(params, "num_images", 1)
        made = _seen(inputs) if "echo" in orders else [draw_image(ctx.seed + n, side) for n in range(count)]
        if room is not None:
            room[:] = made[0]
            made[0] = room
        if isinstance(params, CutoutParams) and params.is_placed_by_encoder:
            made = [np.dstack([pixels, np.full(pixels.shape[:2], 255, np.uint8)]) for pixels in made]
        return RawOutput(
            arrays={str(number): pixels for number, pixels in enumerate(made)},
            warnings=warnings,
            metadata={"seed": ctx.seed, "steps": steps},
        )

    def run_shared(self, jobs: Sequence[tuple[AnyParams, RunContext]]) -> list[RawOutput]:
        """What each would be alone, of one round of computing, with the orders of all together."""
        orders = {name: value for params, _ in jobs for name, value in _orders(getattr(params, "prompt", "")).items()}
        _compute(orders, int(orders.get("steps", 1)), jobs[0][1])
        if "fail" in orders:
            raise RuntimeError(orders["fail"])
        _go_wrong(orders, jobs[0][1].seed)
        return [RawOutput(arrays={"0": draw_image(ctx.seed)}, metadata={"seed": ctx.seed}) for _, ctx in jobs]


_LEAKED: list[bytearray] = []
_SEEN: set[int] = set()


def _make_noise() -> None:
    """Write as libraries do: each line but those of warnings and loggers is raw."""
    print("noise: printed")
    print("noise: 10 %\rnoise: 100 %\r", end="", file=sys.stderr, flush=True)
    print('{"noise": ', file=sys.stderr)
    warnings.warn("noise: warned", stacklevel=1)
    library = logging.getLogger("diffusers")
    library.addHandler(logging.StreamHandler())  # as its first import does
    library.propagate = False
    logging.getLogger("diffusers.models").warning("noise: logged")
    os.write(1, b"noise: written by C\n")
    threading.Thread(target=int, args=("noise: in a thread",)).start()


def _go_wrong(orders: dict[str, str], seed: int) -> None:
    if "leak" in orders:
        _LEAKED.append(bytearray(os.urandom(1) * int(orders["leak"])))
    if "nan" in orders:
        raise NotFinite
    if "fault" in orders:
        raise RuntimeError("CUDA error: an illegal memory access was encountered")
    if "oom" in orders or ("oom_once" in orders and seed not in _SEEN):
        _SEEN.add(seed)
        raise MemoryError("ordered")


def draw_image(seed: int, side: int = 8) -> NDArray[np.uint8]:
    """What `Chaos` makes for `seed`: uint8, side x side x 3."""
    return np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)


def encode(raw: RawOutput, params: AnyParams, folder: Path) -> Outputs:
    """The image as a file; videos and cut-outs are PNG here."""
    as_image = params if isinstance(params, ImageParams) else ImageParams(prompt="chaos", output_format="png")
    return images.encode(raw, as_image, folder)


def _seen(inputs: Inputs) -> list[NDArray[np.uint8]]:
    seen = []
    for _, file in sorted(inputs.files.items()):
        with Image.open(file, formats=["PNG"]) as opened:
            seen.append(np.asarray(opened))
    return seen


def _compute(orders: dict[str, str], steps: int, ctx: RunContext) -> None:
    ctx.progress(0.0, "prepare")
    time.sleep(float(orders.get("sleep", 0)))
    crash_at = int(orders.get("crash_at", 0)) if orders.keys() & {"crash", "crash_at"} else None
    hang_at = int(orders.get("hang_at", 0)) if orders.keys() & {"hang", "hang_at"} else None
    for step in range(steps):
        if step == crash_at:
            os._exit(EXIT_STATUS)
        while step == hang_at:
            time.sleep(3600)
        time.sleep(float(orders.get("compute", 0)) / steps)
        ctx.show_step(step + 1, steps, lambda: draw_image(ctx.seed))
        ctx.progress((step + 1) / (steps + 1), "step" if step + 1 < steps else "decode")


def _orders(text: str | None) -> dict[str, str]:
    return dict(word.split("=", 1) for word in (text or "").split() if "=" in word)
