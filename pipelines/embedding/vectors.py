"""Vectors as a pipeline returns them: of length 1, so that the sum of the products of two is their cosine."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from core.errors.failures import NotFinite
from pipelines.runtime.protocol import MetadataValue, RawOutput, RunContext

BATCH = 16
"""Texts that are read at once."""


def as_array(vectors: torch.Tensor) -> NDArray[np.float32]:
    """Return vectors (n x d) with the length 1, float32. Raises `NotFinite`."""
    long = vectors.float()
    made: NDArray[np.float32] = torch.nn.functional.normalize(long, dim=-1).cpu().numpy()
    if not np.isfinite(made).all():
        raise NotFinite("The model computed values that are not finite; it made no vector.")
    return made


def output_of(vectors: NDArray[np.float32], tokens: int, warnings: list[str], ctx: RunContext) -> RawOutput:
    """Return what `pipelines.embedding.encode` writes; `tokens` are those that the model has read."""
    for warning in warnings:
        ctx.warn(warning)
    facts: dict[str, MetadataValue] = {"seed": ctx.seed, "input_tokens": tokens}
    return RawOutput(arrays={"vectors": vectors}, warnings=tuple(warnings), metadata=facts)


def cut_warning(name: str, most: int, cut: int) -> list[str]:
    """Return the warning for texts of which the model has read the first `most` tokens alone."""
    return [f"{name} reads {most} tokens of a text; {cut} of the texts {'was' if cut == 1 else 'were'} cut"] * bool(cut)


def read_texts(tokenizer: Any, texts: tuple[str, ...], most: int) -> tuple[list[list[int]], int]:
    """Return the tokens of each text, at most so many, and how many texts had more."""
    whole = [tokenizer(text, add_special_tokens=True)["input_ids"] for text in texts]
    read = tokenizer(list(texts), add_special_tokens=True, truncation=True, max_length=most)["input_ids"]
    return read, sum(len(one) > most for one in whole)
