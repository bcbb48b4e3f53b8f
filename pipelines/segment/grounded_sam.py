"""The family `grounded-sam`: what `classes` name, in any words, by Grounding DINO's boxes and SAM 2's masks of them.

The folder of the weights has both, as `grounding-dino` and `sam2`. SAM 2 is fed here, since its processor needs
torchvision; the checkpoints for films are read, too, whose memory has no part in a picture.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from numpy.typing import NDArray
from PIL import Image
from transformers import AutoTokenizer, GroundingDinoForObjectDetection, GroundingDinoProcessor, Sam2Model
from transformers.models.grounding_dino.image_processing_pil_grounding_dino import GroundingDinoImageProcessorPil

from core.errors.failures import NotFinite
from core.errors.fields import OutOfRange
from jobs.params.cutout import SegmentParams
from pipelines.catalog.spec import ModelSpec
from pipelines.diffusion.component import load_component
from pipelines.image.flatten import flatten_on_white
from pipelines.memory.weight_loader import WeightLoader
from pipelines.runtime.protocol import Inputs, RawOutput, RunContext
from pipelines.segment.segments import Found, output_of, refuse_strip

THRESHOLD = 0.35
"""The score of a box at least, as its authors have it."""
MOST_BOXES, LARGEST = 100, 1024
"""Boxes that get a mask, the surest first, and pixels of the longer side at which masks are compared: all of them are
in memory at once."""
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet's pictures."""


class GroundedSam:
    """Finds what the request names: boxes by one network, and a mask in each box by the other. Both are float32."""

    def __init__(self, spec: ModelSpec, weights: Path, device: str, loader: WeightLoader | None = None) -> None:
        transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        self.spec, self.device = spec, device
        loader, dino = loader or WeightLoader(device), weights / "grounding-dino"
        tokenizer: Any = AutoTokenizer.from_pretrained(dino, local_files_only=True)
        pictures = GroundingDinoImageProcessorPil.from_pretrained(dino, local_files_only=True)
        self.reader: Any = GroundingDinoProcessor(pictures, tokenizer)  # type: ignore[no-untyped-call]
        self.period: int = tokenizer.convert_tokens_to_ids(".")
        self.first: int = tokenizer.cls_token_id
        self.detector: Any = load_component(dino, GroundingDinoForObjectDetection, torch.float32, loader)
        self.sam: Any = load_component(weights / "sam2", Sam2Model, torch.float32, loader)

    @property
    def modules(self) -> list[torch.nn.Module]:
        """See `pipelines.runtime.protocol.Pipeline`."""
        return [self.detector, self.sam]

    @torch.inference_mode()
    def run(self, params: SegmentParams, inputs: Inputs, ctx: RunContext) -> RawOutput:
        """Return the segments as `output_of` does; report before each of the networks.

        Raises what `refuse_strip` raises, `OutOfRange` for more words than the detector reads at once, and `NotFinite`.
        """
        ctx.progress(0.0, "prepare")
        with Image.open(inputs.files["input_image"], formats=("PNG",)) as opened:
            picture = flatten_on_white(opened)
        refuse_strip(picture.size)
        ctx.progress(0.1, "step")
        boxes, found = self._boxes(picture, params)
        ctx.progress(0.5, "step")
        masks = self._masks(picture, boxes) if found else torch.zeros(0)
        ctx.progress(0.9, "decode")
        return output_of(picture, _painted(masks, picture.size), found, params, ctx)

    def _boxes(self, picture: Image.Image, params: SegmentParams) -> tuple[torch.Tensor, list[Found]]:
        """Return boxes of what is named, n x 4 as shares of the sides, the surest first, and what is in each."""
        names = [name.strip() for name in params.classes]
        text = " ".join(f"{name.lower().replace('.', ' ')}." for name in names)
        read = self.reader(images=picture, text=text, return_tensors="pt").to(self.device)
        most, length = self.detector.config.max_text_len, read["input_ids"].shape[1]
        if length > most:  # it would cut them off without a word
            sentence = f"`classes` are {length} tokens; this model reads {most} at once: send fewer or shorter ones."
            raise OutOfRange(sentence, field="$.classes")
        seen: Any = self.detector(**read)
        bound = THRESHOLD if params.threshold is None else params.threshold
        (made,) = self.reader.post_process_grounded_object_detection(seen, read["input_ids"], bound)
        if not made["scores"].isfinite().all() or not seen.pred_boxes.isfinite().all():
            raise NotFinite("The model computed values that are not finite; it found no segments.")
        kept = seen.logits[0].sigmoid()[seen.logits[0].sigmoid().max(-1).values > bound]
        order = made["scores"].argsort(descending=True, stable=True)[:MOST_BOXES]
        which = self._named(read["input_ids"][0], kept[order], len(names))
        scores = made["scores"][order].tolist()
        return made["boxes"][order], [Found(names[index], score) for index, score in zip(which, scores, strict=True)]

    def _named(self, tokens: torch.Tensor, shares: torch.Tensor, names: int) -> list[int]:
        """Return which name each box is surest of: that of the likeliest of its tokens, which end with a period."""
        ends, is_word = (tokens == self.period).cumsum(0), (tokens != self.period) & (tokens != self.first)
        of_text = torch.where(is_word, shares[:, : len(tokens)], 0)
        best = [torch.where(ends == number, of_text, 0).amax(1) for number in range(names)]
        return [int(each) for each in torch.stack(best).argmax(0)]

    def _masks(self, picture: Image.Image, boxes: torch.Tensor) -> torch.Tensor:
        """Return a mask of each box, n x height x width at `LARGEST` at most, above 0 where its content is."""
        side = self.sam.prompt_encoder.input_image_size
        square = np.asarray(picture.resize((side, side), Image.Resampling.BILINEAR), np.float32) / 255
        pixels = torch.from_numpy(((square - MEAN) / DEVIATION).astype(np.float32)).permute(2, 0, 1)[None]
        made = self.sam(
            pixel_values=pixels.to(self.device), input_boxes=boxes[None] * side, multimask_output=False
        ).pred_masks[0]
        small = picture.copy()
        small.thumbnail((LARGEST, LARGEST))
        return torch.nn.functional.interpolate(made, (small.height, small.width), mode="bilinear")[:, 0]


def _painted(masks: torch.Tensor, size: tuple[int, int]) -> NDArray[np.int64]:
    """Return the index of each pixel's mask, or -1; where masks overlap, that of the surest, which comes first."""
    if not len(masks):
        return np.full(size[::-1], -1)
    inside = (masks > 0).cpu().numpy()
    return np.where(inside.any(0), inside.argmax(0), -1)
