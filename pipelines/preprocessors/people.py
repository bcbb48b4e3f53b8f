"""Boxes around the people of a picture by RT-DETR (arXiv 2304.08069), the class of transformers."""

from pathlib import Path
from typing import Any

import torch
from PIL import Image
from transformers import RTDetrForObjectDetection
from transformers.models.rt_detr.image_processing_pil_rt_detr import RTDetrImageProcessorPil

from core.errors.failures import ModelLoadFailed
from pipelines.diffusion.component import load_component
from pipelines.memory.weight_loader import WeightLoader

Box = tuple[float, float, float, float]
"""Left, top, width and height, in pixels."""
CERTAIN = 0.3
"""The least score, of 0 to 1, of what counts as a person."""
PERSON = "person"


class People:
    """The people of a picture, the most certain one first."""

    def __init__(self, folder: Path, loader: WeightLoader) -> None:
        self.processor: Any = RTDetrImageProcessorPil.from_pretrained(folder, local_files_only=True)
        self.model: Any = load_component(folder, RTDetrForObjectDetection, torch.float32, loader)
        labels = [number for number, label in self.model.config.id2label.items() if label == PERSON]
        if len(labels) != 1:
            raise ModelLoadFailed(f"{folder.name} has no label {PERSON!r} in `id2label` of its config.json.")
        self._person = labels[0]

    @torch.inference_mode()
    def find(self, picture: Image.Image) -> list[Box]:
        """Return a box around each person of an RGB picture."""
        pixels = self.processor(picture, return_tensors="pt")["pixel_values"].to(self.model.device)
        sizes = [(picture.height, picture.width)]
        (found,) = self.processor.post_process_object_detection(self.model(pixels), CERTAIN, sizes)
        boxes = found["boxes"][found["labels"] == self._person].tolist()
        return [(left, top, right - left, bottom - top) for left, top, right, bottom in boxes]
