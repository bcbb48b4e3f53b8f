"""Skeletons as OpenPose draws them (arXiv 1812.08008), which ControlNets of poses were trained on. No torch."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

Point = tuple[float, float]
"""From the left and from the top, in pixels."""
Joints = Sequence[Point | None]
"""The joints of a person in the order of COCO; None is one that is not seen."""

COCO_JOINTS = 17
_LEFT_SHOULDER, _RIGHT_SHOULDER = 5, 6
NECK = COCO_JOINTS
"""Number of the neck behind COCO's joints, which have none: it is between the shoulders."""
JOINTS = (0, NECK, 6, 8, 10, 5, 7, 9, 12, 14, 16, 11, 13, 15, 2, 1, 4, 3)
"""OpenPose's 18 joints, nose, neck, right shoulder and so on, as numbers of COCO's."""
LIMBS = (
    *((1, 2), (1, 5), (2, 3), (3, 4), (5, 6), (6, 7), (1, 8), (8, 9), (9, 10)),
    *((1, 11), (11, 12), (12, 13), (1, 0), (0, 14), (14, 16), (0, 15), (15, 17)),
)
"""Pairs of OpenPose's joints, in the order in which they are drawn."""
COLORS = (
    *((255, 0, 0), (255, 85, 0), (255, 170, 0), (255, 255, 0), (170, 255, 0), (85, 255, 0)),
    *((0, 255, 0), (0, 255, 85), (0, 255, 170), (0, 255, 255), (0, 170, 255), (0, 85, 255)),
    *((0, 0, 255), (85, 0, 255), (170, 0, 255), (255, 0, 255), (255, 0, 170), (255, 0, 85)),
)
"""Of the limbs, at `LIMB` of their light, and of the joints."""
LIMB = 0.6
STROKE = 4 / 512
"""Half the width of a limb, and the radius of a joint, as a share of the picture's shorter side."""


def draw_people(people: Sequence[Joints], size: tuple[int, int]) -> Image.Image:
    """Return an RGB picture of this size: the skeletons on black, the limbs below the joints."""
    picture = Image.new("RGB", size)
    canvas = ImageDraw.Draw(picture)
    radius = max(1.0, STROKE * min(size))
    skeletons = [_of_openpose(joints) for joints in people]
    for joints in skeletons:
        for (begin, end), (red, green, blue) in zip(LIMBS, COLORS, strict=False):
            first, last = joints[begin], joints[end]
            if first is not None and last is not None:
                color = (int(LIMB * red), int(LIMB * green), int(LIMB * blue))
                canvas.polygon(_ellipse(first, last, radius), fill=color)
    for joints in skeletons:
        for joint, color in zip(joints, COLORS, strict=True):
            if joint is not None:
                canvas.circle(joint, radius, fill=color)
    return picture


def _of_openpose(joints: Joints) -> list[Point | None]:
    left, right = joints[_LEFT_SHOULDER], joints[_RIGHT_SHOULDER]
    neck = None if left is None or right is None else ((left[0] + right[0]) / 2, (left[1] + right[1]) / 2)
    return [neck if number == NECK else joints[number] for number in JOINTS]


def _ellipse(first: Point, last: Point, radius: float) -> list[Point]:
    """Return the corners of an ellipse from the first point to the last, `radius` to each side at its middle."""
    begin, end = np.asarray(first), np.asarray(last)
    along = (end - begin) / 2
    length = float(np.hypot(*along))
    across = np.array([-along[1], along[0]]) * (radius / length if length else 0.0)
    turns = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    corners = (begin + end) / 2 + np.outer(np.cos(turns), along) + np.outer(np.sin(turns), across)
    return [(float(x), float(y)) for x, y in corners]
