"""The family `siglip`: vectors of texts and of pictures in one space, by SigLIP and SigLIP 2 of transformers.

The product of the vectors of a text and of a picture says how well the one describes the other. Models of a fixed
resolution alone (`model_type = "siglip"`, as SigLIP 2 is published too); those that keep a picture's shape are another
class.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from PIL import Image
from transformers import AutoTokenizer, SiglipModel
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

from jobs.params.text import EmbeddingParams
from pipelines.catalog.requirements import check_media
from pipelines.catalog.spec import ModelSpec
from pipelines.diffusion.component import load_component
from pipelines.embedding.vectors import BATCH, as_array, cut_warning, output_of, read_texts
from pipelines.memory.weight_loader import WeightLoader
from pipelines.runtime.protocol import Inputs, RawOutput, RunContext


class Siglip:
    """A vector for each text, or one for the picture."""

    def __init__(self, spec: ModelSpec, weights: Path, device: str, loader: WeightLoader | None = None) -> None:
        transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        self.spec, self.device = spec, device
        self.dtype = getattr(torch, spec.dtype or ("float32" if device == "cpu" else "bfloat16"))
        self.tokenizer: Any = AutoTokenizer.from_pretrained(weights, local_files_only=True)
        self.pictures: Any = SiglipImageProcessorPil.from_pretrained(weights, local_files_only=True)
        self.model: Any = load_component(weights, SiglipModel, self.dtype, loader or WeightLoader(device))
        self.most_tokens: int = self.model.config.text_config.max_position_embeddings

    @property
    def modules(self) -> list[torch.nn.Module]:
        """See `pipelines.runtime.protocol.Pipeline`."""
        return [self.model]

    @torch.inference_mode()
    def run(self, params: EmbeddingParams, inputs: Inputs, ctx: RunContext) -> RawOutput:
        """Return `vectors`, rows of float32 of length 1: of each text, or of the picture. Raises `NotFinite`."""
        check_media(self.spec, inputs.files)
        ctx.progress(0.0, "prepare")
        if "input_image" in inputs.files:
            vectors = as_array(self._of_picture(inputs.files["input_image"]))
            ctx.progress(1.0, "step")
            return output_of(vectors, 0, [], ctx)
        texts, cut = read_texts(self.tokenizer, params.texts, self.most_tokens)
        made = []
        for begin in range(0, len(texts), BATCH):
            made.append(as_array(self._of_texts(texts[begin : begin + BATCH])))
            ctx.progress(min(1.0, (begin + BATCH) / len(texts)), "step")
        return output_of(
            np.concatenate(made), sum(map(len, texts)), cut_warning(self.spec.id, self.most_tokens, cut), ctx
        )

    def _of_texts(self, texts: list[list[int]]) -> torch.Tensor:
        """Return the vectors of texts, n x d: each is filled up to the most tokens, as the model was trained."""
        read = self.tokenizer.pad(
            {"input_ids": texts}, padding="max_length", max_length=self.most_tokens, return_tensors="pt"
        )
        made: Any = self.model.get_text_features(input_ids=read["input_ids"].to(self.device))
        return _vectors(made)

    def _of_picture(self, file: Path) -> torch.Tensor:
        """Return the vector of a picture, 1 x d; what is transparent is white."""
        with Image.open(file, formats=("PNG",)) as opened:
            picture = opened.convert("RGBA")
        flat = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")
        pixels = self.pictures(flat, return_tensors="pt")["pixel_values"].to(self.device, self.dtype)
        return _vectors(self.model.get_image_features(pixel_values=pixels))


def _vectors(made: Any) -> torch.Tensor:
    return made if isinstance(made, torch.Tensor) else made.pooler_output
