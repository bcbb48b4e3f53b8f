"""Poses of the people in a picture by ViTPose (arXiv 2204.12484), the class of transformers."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from transformers import VitPoseForPoseEstimation
from transformers.models.vitpose.image_processing_pil_vitpose import VitPoseImageProcessorPil

from core.errors.failures import ModelLoadFailed
from pipelines.diffusion.component import load_component
from pipelines.memory.weight_loader import WeightLoader
from pipelines.preprocessors.people import People
from pipelines.preprocessors.skeleton import COCO_JOINTS, Joints, draw_people

SEEN = 0.3
"""The least score of a joint that is drawn; scores are heights of a heatmap, about 0 to 1."""


class Pose:
    """Skeletons of people in the colors of OpenPose: of those that `people` finds, else of one in the whole picture."""

    def __init__(self, folder: Path, loader: WeightLoader, people: People | None = None) -> None:
        self.processor: Any = VitPoseImageProcessorPil.from_pretrained(folder, local_files_only=True)
        self.model: Any = load_component(folder, VitPoseForPoseEstimation, torch.float32, loader)
        if self.model.config.num_labels != COCO_JOINTS or self.model.config.backbone_config.num_experts > 1:
            raise ModelLoadFailed(f"{folder.name} is not a ViTPose of the {COCO_JOINTS} joints of COCO alone.")
        self.people = people

    def draw(self, picture: Image.Image) -> Image.Image:
        """Return the skeletons in an RGB picture, RGB and of its size, on black."""
        return draw_people(self.find(picture), picture.size)

    @torch.inference_mode()
    def find(self, picture: Image.Image) -> list[Joints]:
        """Return the joints of each person."""
        boxes = [(0.0, 0.0, float(picture.width), float(picture.height))]
        if self.people is not None:
            boxes = self.people.find(picture)
        if not boxes:
            return []
        asked = [np.asarray(boxes, np.float32)]
        pixels = self.processor(picture, boxes=asked, return_tensors="pt")["pixel_values"].to(self.model.device)
        (found,) = self.processor.post_process_pose_estimation(self.model(pixels), asked)
        return [_joints(each["keypoints"].tolist(), each["scores"].tolist()) for each in found]


def _joints(places: list[tuple[float, float]], scores: list[float]) -> Joints:
    return [(x, y) if score >= SEEN else None for (x, y), score in zip(places, scores, strict=True)]
