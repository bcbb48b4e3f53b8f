"""Qwen-VL's processor for pictures and words, without films.

The one of transformers also makes a processor of films, which needs torchvision, and torchvision brings a CUDA build of
torch with it. Pictures go through the same library's processor in Pillow and NumPy, whatever else is installed, so
that the same picture gives the same numbers everywhere.
"""

from pathlib import Path
from typing import Any

from transformers import ProcessorMixin, Qwen2Tokenizer, Qwen2VLProcessor
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil


class PictureProcessor(Qwen2VLProcessor):
    """What `Qwen2VLProcessor` is, except that it takes no films."""

    def __init__(self, image_processor: Any, tokenizer: Any) -> None:
        self.image_token, self.video_token = "<|image_pad|>", "<|video_pad|>"
        self.image_token_id = tokenizer.convert_tokens_to_ids(self.image_token)
        self.video_token_id = tokenizer.convert_tokens_to_ids(self.video_token)
        # Past `Qwen2VLProcessor.__init__`, which hands over three parts; the parts are the parameters named here.
        ProcessorMixin.__init__(self, image_processor, tokenizer)  # type: ignore[no-untyped-call]


def load_processor(folder: Path) -> PictureProcessor:
    """The processor of a `processor/` folder: `preprocessor_config.json` and a tokenizer."""
    return PictureProcessor(
        Qwen2VLImageProcessorPil.from_pretrained(folder, local_files_only=True),
        Qwen2Tokenizer.from_pretrained(folder, local_files_only=True),
    )
