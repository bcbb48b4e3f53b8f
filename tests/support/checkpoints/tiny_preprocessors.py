"""Tiny random preprocessors in the layouts of the published ones, and the control pictures that transformers makes.

The layouts are those of Depth-Anything-V2-Small-hf, vitpose-base-simple and rtdetr_r50vd.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from PIL import Image
from transformers.models.dpt.image_processing_pil_dpt import DPTImageProcessorPil
from transformers.models.rt_detr.image_processing_pil_rt_detr import RTDetrImageProcessorPil
from transformers.models.vitpose.image_processing_pil_vitpose import VitPoseImageProcessorPil

from pipelines.preprocessors.skeleton import Joints, draw_people

NAMES = ("depth", "pose", "people")
SEEN = 0.3

_BACKBONE = {"hidden_size": 16, "num_attention_heads": 2, "num_hidden_layers": 4, "patch_size": 14}


def entry_of(*names: str) -> dict[str, Any]:
    """What the entry of a model says of its preprocessors."""
    return {name: {"source": {"path": f"tiny-{name}"}} for name in names or NAMES}


def save(weights: Path) -> None:
    """Save all three in a weights folder."""
    for name, make in {"depth": _depth, "pose": _pose, "people": _people}.items():
        torch.manual_seed(7)
        folder = weights / f"tiny-{name}"
        model, processor = make()
        model.save_pretrained(folder)
        (folder / "preprocessor_config.json").write_text(json.dumps(processor))


def depths_of(weights: Path, picture: Image.Image) -> Image.Image:
    """The depths by transformers alone, nearest white."""
    folder = weights / "tiny-depth"
    processor: Any = DPTImageProcessorPil.from_pretrained(folder)
    model = transformers.DepthAnythingForDepthEstimation.from_pretrained(folder)
    with torch.inference_mode():
        made = model(**processor(picture, return_tensors="pt"))
    (found,) = processor.post_process_depth_estimation(made, target_sizes=[picture.size[::-1]])
    depth = found["predicted_depth"].numpy()
    scaled = (depth - depth.min()) / (depth.max() - depth.min()) * 255
    return Image.fromarray(scaled.round().astype(np.uint8)).convert("RGB")


def poses_of(weights: Path, picture: Image.Image, *, with_people: bool = True) -> Image.Image:
    """The skeletons of the joints that transformers finds."""
    return draw_people(joints_of(weights, picture, with_people=with_people), picture.size)


def joints_of(weights: Path, picture: Image.Image, *, with_people: bool) -> list[Joints]:
    boxes = np.array([[0, 0, *picture.size]], np.float32)
    if with_people:
        detector: Any = RTDetrImageProcessorPil.from_pretrained(weights / "tiny-people")
        finder = transformers.RTDetrForObjectDetection.from_pretrained(weights / "tiny-people")
        with torch.inference_mode():
            seen = finder(**detector(picture, return_tensors="pt"))
        (found,) = detector.post_process_object_detection(seen, threshold=SEEN, target_sizes=[picture.size[::-1]])
        boxes = found["boxes"][found["labels"] == 0].numpy()
        boxes[:, 2:] -= boxes[:, :2]
    processor: Any = VitPoseImageProcessorPil.from_pretrained(weights / "tiny-pose")
    model = transformers.VitPoseForPoseEstimation.from_pretrained(weights / "tiny-pose")
    with torch.inference_mode():
        made = model(**processor(picture, boxes=[boxes], return_tensors="pt"))
    (people,) = processor.post_process_pose_estimation(made, boxes=[boxes])
    return [
        [
            tuple(place) if score >= SEEN else None
            for place, score in zip(each["keypoints"].tolist(), each["scores"].tolist(), strict=True)
        ]
        for each in people
    ]


def _depth() -> tuple[Any, dict[str, Any]]:
    stages = [f"stage{number}" for number in range(1, 5)]
    backbone = transformers.Dinov2Config(
        **_BACKBONE, intermediate_size=16, image_size=28, out_features=stages, reshape_hidden_states=False
    )
    config = transformers.DepthAnythingConfig(
        backbone_config=backbone,
        reassemble_hidden_size=16,
        neck_hidden_sizes=[8, 8, 8, 8],
        fusion_hidden_size=8,
        head_hidden_size=8,
    )
    model = transformers.DepthAnythingForDepthEstimation(config)
    with torch.no_grad():
        model.head.conv3.bias.fill_(1.0)  # its last layer is a ReLU, which would leave nothing of most
    return model, {
        "image_processor_type": "DPTImageProcessor",
        "do_normalize": True,
        "do_pad": False,
        "do_rescale": True,
        "do_resize": True,
        "ensure_multiple_of": 14,
        "image_mean": [0.485, 0.456, 0.406],
        "image_std": [0.229, 0.224, 0.225],
        "keep_aspect_ratio": True,
        "resample": 3,
        "rescale_factor": 1 / 255,
        "size": {"height": 56, "width": 56},
        "size_divisor": None,
    }


def _pose() -> tuple[Any, dict[str, Any]]:
    backbone = _BACKBONE | {"model_type": "vitpose_backbone", "num_hidden_layers": 1, "patch_size": [16, 16]}
    config = transformers.VitPoseConfig(
        backbone_config=backbone | {"image_size": [64, 48], "out_features": ["stage1"]}, num_labels=17
    )
    model = transformers.VitPoseForPoseEstimation(config)
    with torch.no_grad():  # joints of heights around the threshold
        model.head.conv.weight.normal_(std=0.3)
        model.head.conv.bias.zero_()
    return model, {
        "image_processor_type": "VitPoseImageProcessor",
        "do_affine_transform": True,
        "do_normalize": True,
        "do_rescale": True,
        "image_mean": [0.485, 0.456, 0.406],
        "image_std": [0.229, 0.224, 0.225],
        "normalize_factor": 200.0,
        "rescale_factor": 1 / 255,
        "size": {"height": 64, "width": 48},
    }


def _people() -> tuple[Any, dict[str, Any]]:
    backbone = transformers.RTDetrResNetConfig(
        embedding_size=8, hidden_sizes=[8, 8, 16, 16], depths=[1, 1, 1, 1], out_features=["stage2", "stage3", "stage4"]
    )
    config = transformers.RTDetrConfig(
        backbone_config=backbone,
        encoder_hidden_dim=16,
        encoder_in_channels=[8, 16, 16],
        encoder_ffn_dim=16,
        encoder_attention_heads=2,
        d_model=16,
        decoder_in_channels=[16, 16, 16],
        decoder_ffn_dim=16,
        decoder_attention_heads=2,
        decoder_layers=1,
        num_queries=3,
        num_denoising=0,
        id2label={0: "person", 1: "cat"},
        label2id={"person": 0, "cat": 1},
    )
    model = transformers.RTDetrForObjectDetection(config)
    with torch.no_grad():
        for head in model.model.decoder.class_embed:
            head.bias.copy_(torch.tensor([2.0, -5.0]))
    return model, {
        "image_processor_type": "RTDetrImageProcessor",
        "do_normalize": False,
        "do_pad": False,
        "do_rescale": True,
        "do_resize": True,
        "resample": 2,
        "rescale_factor": 1 / 255,
        "size": {"height": 64, "width": 64},
    }
