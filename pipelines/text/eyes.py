"""Pictures in a chat, for models of transformers that see as Qwen's do (Qwen2-VL to Qwen3.5).

The published processor of these families makes films, too, and needs torchvision for that; so the pictures go through
its image processor alone, and their places in the text are made here: where the chat template has one mark of a
picture, the model reads one for each `merge_size` x `merge_size` patches of it. `mm_token_type_ids` are 1 there:
without them the positions are those of plain text.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from jobs.params.text import ChatMessage

PROCESSOR = "preprocessor_config.json"
MOST_PIXELS = 1280 * 32 * 32
"""Of a picture, 1280 tokens of Qwen3.5; the processor makes a larger one smaller."""


class Eyes:
    """The image processor of a model, and the mark of a picture in its texts."""

    def __init__(self, processor: Any, tokenizer: Any, mark: int) -> None:
        self._processor = processor
        self._tokenizer = tokenizer
        self._mark = mark
        self._word: str = tokenizer.convert_ids_to_tokens(mark)

    @classmethod
    def of(cls, weights: Path, model: Any, tokenizer: Any) -> "Eyes | None":
        """Return those of a model; None for one whose configuration has no mark of a picture, or no processor."""
        mark = getattr(model.config, "image_token_id", None)
        if mark is None or not (weights / PROCESSOR).is_file():
            return None
        processor = Qwen2VLImageProcessorPil.from_pretrained(weights, local_files_only=True)
        size = processor.size
        processor.size = type(size)(
            shortest_edge=size["shortest_edge"], longest_edge=min(size["longest_edge"], MOST_PIXELS)
        )
        return cls(processor, tokenizer, mark)

    def turn(self, message: ChatMessage) -> dict[str, Any]:
        """Return a turn as chat templates take it: the pictures, then the words, in which no mark stands for one."""
        words = message.content.replace(self._word, "")
        pictures = [{"type": "image"} for _ in message.images]
        return {"role": message.role, "content": [*pictures, {"type": "text", "text": words}] if pictures else words}

    def read(self, words: str, pictures: Sequence[Image.Image]) -> Mapping[str, torch.Tensor]:
        """Return what the model takes of a chat that has a mark for each picture.

        `input_ids`, `attention_mask` and `mm_token_type_ids` are 1 x n, `pixel_values` patches x values, and
        `image_grid_thw` pictures x 3.
        """
        seen = self._processor(images=list(pictures), return_tensors="pt")
        counts = (seen["image_grid_thw"].prod(-1) // self._processor.merge_size**2).tolist()
        first, *rest = words.split(self._word)
        assert len(rest) == len(counts), "the template has a mark for each picture, and `turn` lets no other in"
        marked = first + "".join(self._word * count + part for count, part in zip(counts, rest, strict=True))
        chat = self._tokenizer(marked, add_special_tokens=False, return_tensors="pt")
        kinds = (chat["input_ids"] == self._mark).int()
        return {**{name: chat[name] for name in ("input_ids", "attention_mask")}, "mm_token_type_ids": kinds, **seen}
