"""Families as they are, hampered in the midst of a run by a word in the name of the entry.

With `slow-` every step takes a while, with `full-` memory runs out, with `once-full-` it does so in one run alone.
Texts are written token by token, speech is, too, pictures are made by diffusers, and a cut-out runs on ONNX Runtime.
"""

import time
from itertools import count

import msgspec
import torch

from jobs.params.cutout import CutoutParams, SegmentParams
from jobs.params.image import ImageParams
from jobs.params.speech import SpeechParams
from jobs.params.text import TextParams
from pipelines.catalog.spec import ModelSpec, Stage
from pipelines.cutout.rembg_cutout import RembgCutout
from pipelines.description.picture_labels import PictureLabels
from pipelines.image.diffusers_image import DiffusersImage
from pipelines.runtime.protocol import Inputs, RawOutput, RunContext
from pipelines.segment.eomt import Eomt
from pipelines.segment.grounded_sam import GroundedSam
from pipelines.text.transformers_text import TransformersText
from tests.support.checkpoints.tiny_chatterbox import TinyChatterbox

STEPS_BEFORE = 2
STEP_SECONDS = 2.0
OF_TORCH = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
OF_ONNX = RuntimeError("[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : Failed to allocate memory for requested buffer")

_filled: set[str] = set()
"""The models with which memory has run out."""


def _hampered(spec: ModelSpec, ctx: RunContext, out_of_memory: Exception) -> RunContext:
    steps = count()

    def progress(fraction: float, stage: Stage) -> None:
        ctx.progress(fraction, stage)
        if stage != "step":
            return
        if spec.id.startswith("slow-"):
            time.sleep(STEP_SECONDS)
        if next(steps) < STEPS_BEFORE:
            return
        if spec.id.startswith("full-") or (spec.id.startswith("once-full-") and spec.id not in _filled):
            _filled.add(spec.id)
            raise out_of_memory

    return msgspec.structs.replace(ctx, progress=progress)


class HamperedText(TransformersText):
    """The family of texts."""

    def run(self, params: TextParams, inputs: Inputs, ctx: RunContext) -> RawOutput:
        """See `TransformersText`."""
        return super().run(params, inputs, _hampered(self.spec, ctx, OF_TORCH))


class HamperedSpeech(TinyChatterbox):
    """The family of Chatterbox."""

    def run(self, params: SpeechParams, inputs: Inputs, ctx: RunContext) -> RawOutput:
        """See `Chatterbox`."""
        return super().run(params, inputs, _hampered(self.spec, ctx, OF_TORCH))


class HamperedImage(DiffusersImage):
    """The family of diffusers' pictures."""

    def run(self, params: ImageParams, inputs: Inputs, ctx: RunContext) -> RawOutput:
        """See `DiffusersImage`."""
        return super().run(params, inputs, _hampered(self.spec, ctx, OF_TORCH))


class HamperedCutout(RembgCutout):
    """The family of rembg's sessions."""

    def run(self, params: CutoutParams, inputs: Inputs, ctx: RunContext) -> RawOutput:
        """See `RembgCutout`."""
        return super().run(params, inputs, _hampered(self.spec, ctx, OF_ONNX))


class HamperedEomt(Eomt):
    """The family `eomt`, which reports before each layer."""

    def run(self, params: SegmentParams, inputs: Inputs, ctx: RunContext) -> RawOutput:
        """See `Eomt`."""
        return super().run(params, inputs, _hampered(self.spec, ctx, OF_TORCH))


class HamperedGroundedSam(GroundedSam):
    """The family `grounded-sam`, which reports before each of its networks."""

    def run(self, params: SegmentParams, inputs: Inputs, ctx: RunContext) -> RawOutput:
        """See `GroundedSam`."""
        return super().run(params, inputs, _hampered(self.spec, ctx, OF_TORCH))


class HamperedLabels(PictureLabels):
    """The family `picture-labels`, which reports after each picture."""

    def run(self, params: TextParams, inputs: Inputs, ctx: RunContext) -> RawOutput:
        """See `PictureLabels`."""
        return super().run(params, inputs, _hampered(self.spec, ctx, OF_TORCH))
