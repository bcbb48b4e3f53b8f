"""Words as the denoiser takes them: the last hidden states of Qwen3, 512 of them whatever the text is."""

from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import AutoTokenizer, Qwen3Model

from core.errors.failures import ModelLoadFailed
from pipelines.diffusion.component import load_component
from pipelines.memory.weight_loader import WeightLoader
from pipelines.runtime.torch_errors import is_device_fault, is_out_of_memory

TOKENS = 512


class WordEncoder:
    """The tokenizer and the text encoder."""

    def __init__(self, weights: Path, loader: WeightLoader, dtype: torch.dtype) -> None:
        transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        try:
            self.tokenizer: Any = AutoTokenizer.from_pretrained(weights / "tokenizer", local_files_only=True)
            self.net: Any = load_component(weights / "text_encoder", Qwen3Model, dtype, loader)
        except (OSError, RuntimeError, ValueError) as error:
            if is_out_of_memory(error) or is_device_fault(error):
                raise
            raise ModelLoadFailed(
                f"The tokenizer or text encoder could not be loaded ({type(error).__name__})."
            ) from error
        self.net.requires_grad_(requires_grad=False)

    def encode(self, text: str) -> torch.Tensor:
        """Return 1 x 512 x channels, zero behind the end of the text; all of it for an empty one."""
        made = self.tokenizer([text], padding="max_length", truncation=True, max_length=TOKENS, return_tensors="pt")
        made = made.to(self.net.device)
        mask = made["attention_mask"]
        if not mask.any():
            return torch.zeros(1, TOKENS, self.net.config.hidden_size, dtype=self.net.dtype, device=self.net.device)
        states: torch.Tensor = self.net(**made).last_hidden_state
        masked: torch.Tensor = states * mask[..., None]
        return masked
