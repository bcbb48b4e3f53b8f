"""The family `eomt`: everything that a picture shows, by EoMT of transformers, trained for COCO's panoptic task.

Its 133 classes are 80 of things, each of which is a segment of its own, and 53 of what has no count, as sky and grass,
each of which is one segment.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import torch
import transformers
from PIL import Image
from transformers import EomtForUniversalSegmentation
from transformers.models.eomt.image_processing_pil_eomt import EomtImageProcessorPil

from core.errors.failures import NotFinite
from jobs.params.cutout import SegmentParams
from pipelines.catalog.spec import ModelSpec
from pipelines.diffusion.component import load_component
from pipelines.image.flatten import flatten_on_white
from pipelines.memory.weight_loader import WeightLoader
from pipelines.runtime.protocol import Inputs, RawOutput, RunContext
from pipelines.segment.segments import Found, output_of, refuse_strip

THINGS, CLASSES = 80, 133
"""Of COCO's panoptic task: so many classes, of which the first are things."""
THRESHOLD = 0.8
"""The score of a segment at least, as its authors have it."""
LARGEST = 1024
"""Pixels of the longer side at most at which masks are compared: all of them are in memory at once."""


class Eomt:
    """Finds the parts of a picture in one pass. Its masks of attention are float32, and so are its weights."""

    def __init__(self, spec: ModelSpec, weights: Path, device: str, loader: WeightLoader | None = None) -> None:
        transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        self.spec, self.device = spec, device
        self.pictures: Any = EomtImageProcessorPil.from_pretrained(weights, local_files_only=True)
        self.model: Any = load_component(
            weights, EomtForUniversalSegmentation, torch.float32, loader or WeightLoader(device)
        )
        self.names: dict[int, str] = self.model.config.id2label

    @property
    def modules(self) -> list[torch.nn.Module]:
        """See `pipelines.runtime.protocol.Pipeline`."""
        return [self.model]

    @torch.inference_mode()
    def run(self, params: SegmentParams, inputs: Inputs, ctx: RunContext) -> RawOutput:
        """Return the segments as `output_of` does; report before each layer.

        Raises what `refuse_strip` raises, and `NotFinite`.
        """
        ctx.progress(0.0, "prepare")
        with Image.open(inputs.files["input_image"], formats=("PNG",)) as opened:
            picture = flatten_on_white(opened)
        refuse_strip(picture.size)
        pixels = self.pictures(picture, do_split_image=False, do_pad=True, return_tensors="pt")["pixel_values"]
        with self._reporting(ctx):
            seen: Any = self.model(pixel_values=pixels.to(self.device))
        if not seen.class_queries_logits.isfinite().all() or not seen.masks_queries_logits.isfinite().all():
            raise NotFinite("The model computed values that are not finite; it found no segments.")
        ctx.progress(0.9, "decode")
        small = picture.copy()
        small.thumbnail((LARGEST, LARGEST))
        (made,) = self.pictures.post_process_panoptic_segmentation(
            seen,
            target_sizes=[(small.height, small.width)],
            threshold=THRESHOLD if params.threshold is None else params.threshold,
            stuff_classes=range(THINGS, CLASSES) if len(self.names) == CLASSES else None,
        )
        found = [Found(self.names[each["label_id"]], each["score"]) for each in made["segments_info"]]
        parts = made["segmentation"].to("cpu", torch.int64).numpy()
        return output_of(picture, parts, found, params, ctx, self._unknown(params))

    @contextmanager
    def _reporting(self, ctx: RunContext) -> Iterator[None]:
        """Report before each layer of the model, where a job is cancelled, too."""
        layers = list(self.model.layers)
        with ExitStack() as stack:
            for number, layer in enumerate(layers):
                share = 0.1 + 0.8 * number / len(layers)
                hook = layer.register_forward_pre_hook(lambda *_, share=share: ctx.progress(share, "step"))
                stack.callback(hook.remove)
            yield

    def _unknown(self, params: SegmentParams) -> list[str]:
        """Return the warning for classes that the model does not have."""
        known = {name.casefold() for name in self.names.values()}
        unknown = [name for name in params.classes if name.strip().casefold() not in known]
        return [f"{self.spec.id} has no class {', '.join(unknown)}; it was not looked for."] if unknown else []
