"""The family `sentence-embedding`: vectors of texts by an encoder of transformers, of the mean over its tokens.

That is what Sentence Transformers makes of a model with `pooling_mode_mean_tokens` and a normalization, such as
all-MiniLM-L6-v2.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from transformers import AutoTokenizer, PreTrainedModel

from core.errors.failures import ModelLoadFailed
from jobs.params.text import EmbeddingParams
from pipelines.catalog.requirements import check_media
from pipelines.catalog.spec import ModelSpec
from pipelines.diffusion.component import load_component
from pipelines.embedding.vectors import BATCH, as_array, cut_warning, output_of, read_texts
from pipelines.memory.weight_loader import WeightLoader
from pipelines.runtime.protocol import Inputs, RawOutput, RunContext

LONGEST = "sentence_bert_config.json"
"""The file with the most tokens of a text (`max_seq_length`)."""


class SentenceModel:
    """A vector for each text."""

    def __init__(self, spec: ModelSpec, weights: Path, device: str, loader: WeightLoader | None = None) -> None:
        transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        self.spec, self.device = spec, device
        name = (json.loads((weights / "config.json").read_text()).get("architectures") or [""])[0]
        kind = getattr(transformers, name, None)
        if not (isinstance(kind, type) and issubclass(kind, PreTrainedModel)):
            raise ModelLoadFailed(f"{spec.id}: {name!r} is not a class of transformers.")
        dtype = getattr(torch, spec.dtype or "float32")
        self.tokenizer: Any = AutoTokenizer.from_pretrained(weights, local_files_only=True)
        self.model: Any = load_component(weights, kind, dtype, loader or WeightLoader(device))
        said = json.loads((weights / LONGEST).read_text()) if (weights / LONGEST).is_file() else {}
        most = self.model.config.max_position_embeddings
        self.most_tokens: int = min(int(said.get("max_seq_length") or most), most)

    @property
    def modules(self) -> list[torch.nn.Module]:
        """See `pipelines.runtime.protocol.Pipeline`."""
        return [self.model]

    @torch.inference_mode()
    def run(self, params: EmbeddingParams, inputs: Inputs, ctx: RunContext) -> RawOutput:
        """Return `vectors`, texts x numbers, float32 of length 1; report after each batch.

        Raises `NotThisModel` for a picture, and `NotFinite`.
        """
        check_media(self.spec, inputs.files)
        ctx.progress(0.0, "prepare")
        texts, cut = read_texts(self.tokenizer, params.texts, self.most_tokens)
        made = []
        for begin in range(0, len(texts), BATCH):
            made.append(as_array(self._mean(texts[begin : begin + BATCH])))
            ctx.progress(min(1.0, (begin + BATCH) / len(texts)), "step")
        return output_of(
            np.concatenate(made), sum(map(len, texts)), cut_warning(self.spec.id, self.most_tokens, cut), ctx
        )

    def _mean(self, texts: list[list[int]]) -> torch.Tensor:
        """Return the mean over the tokens of each text, n x d."""
        read = self.tokenizer.pad({"input_ids": texts}, return_tensors="pt").to(self.device)
        states = self.model(**read).last_hidden_state
        mask = read["attention_mask"][..., None].to(states.dtype)
        mean: torch.Tensor = (states * mask).sum(1) / mask.sum(1)
        return mean
