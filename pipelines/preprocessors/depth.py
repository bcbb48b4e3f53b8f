"""Depths of a picture by Depth Anything (arXiv 2406.09414), the class of transformers."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from transformers import DepthAnythingForDepthEstimation
from transformers.models.dpt.image_processing_pil_dpt import DPTImageProcessorPil

from pipelines.diffusion.component import load_component
from pipelines.memory.weight_loader import WeightLoader


class DepthAnything:
    """Depths as a picture of grays, in which what is nearest is white and what is farthest is black."""

    def __init__(self, folder: Path, loader: WeightLoader) -> None:
        self.processor: Any = DPTImageProcessorPil.from_pretrained(folder, local_files_only=True)
        self.model: Any = load_component(folder, DepthAnythingForDepthEstimation, torch.float32, loader)

    @torch.inference_mode()
    def draw(self, picture: Image.Image) -> Image.Image:
        """Return the depths of an RGB picture, RGB and of its size; black where all of it is equally far away."""
        pixels = self.processor(picture, return_tensors="pt")["pixel_values"].to(self.model.device)
        sizes = [(picture.height, picture.width)]
        (found,) = self.processor.post_process_depth_estimation(self.model(pixels), sizes)
        depths = found["predicted_depth"].cpu().numpy()
        span = depths.max() - depths.min()
        grays = (depths - depths.min()) / span * 255 if span > 0 else np.zeros_like(depths)
        return Image.fromarray(grays.round().astype(np.uint8)).convert("RGB")
