"""Qwen-VL's processor for images and text, without video.

The processor of transformers also makes a video processor, which needs torchvision, and torchvision brings a CUDA build
of torch. Images go through the same library's Pillow and NumPy processor, whatever else is installed, so that the same
image gives the same numbers everywhere.
"""

from pathlib import Path
from typing import Any

from transformers import ProcessorMixin, Qwen2Tokenizer, Qwen2VLProcessor
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil


class ImageTextProcessor(Qwen2VLProcessor):
    """A `Qwen2VLProcessor` that takes no video."""

    def __init__(self, image_processor: Any, tokenizer: Any) -> None:
        self.image_token, self.video_token = "<|image_pad|>", "<|video_pad|>"
        self.image_token_id = tokenizer.convert_tokens_to_ids(self.image_token)
        self.video_token_id = tokenizer.convert_tokens_to_ids(self.video_token)
        # Skips `Qwen2VLProcessor.__init__`, which passes three parts on; the parts are the parameters named here.
        ProcessorMixin.__init__(self, image_processor, tokenizer)  # type: ignore[no-untyped-call]


def load_processor(folder: Path) -> ImageTextProcessor:
    """Load the processor of a `processor/` folder: `preprocessor_config.json` and a tokenizer."""
    return ImageTextProcessor(
        Qwen2VLImageProcessorPil.from_pretrained(folder, local_files_only=True),
        Qwen2Tokenizer.from_pretrained(folder, local_files_only=True),
    )
