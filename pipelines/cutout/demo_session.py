"""A rembg session for the network that this project trained (pipelines/matting).

Import it through `sessions.session_class`, which bypasses `rembg/__init__.py`.
"""

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rembg.sessions.base import BaseSession  # type: ignore[import-untyped]

from pipelines.cutout.cues import cues
from pipelines.cutout.refine import enlarge, keep_main_parts, see_through, weigh_by_color
from pipelines.cutout.sessions import CLOSE_LOOK, OPACITY

MEAN, DEVIATION, SIDE = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), 256
CLOSE_SIDE = 512
"""Side of the square that the third network sees."""


class DemoSession(BaseSession):  # type: ignore[misc]
    """The demo network, run on the image and its mirror image with their `cues`, then refined.

    The matte is not stretched to 0 to 1, so an image without an object gives an empty matte.
    """

    open_network: Callable[[str], Any]
    """Opens the second or third network by its name, which only the requests that ask for them need."""

    @cached_property
    def opacity_sessions(self) -> tuple[Any, Any]:
        """ONNX Runtime's sessions of the second and the third network; they stay once they are open."""
        return self.open_network(OPACITY), self.open_network(CLOSE_LOOK)

    def predict(self, img: Image.Image, *args: Any, semitransparency: bool = False, **kwargs: Any) -> list[Image.Image]:
        """Return one matte of the size of `img`, mode L; with `semitransparency` two more networks add to it."""
        ((entry, colors),) = self.normalize(img, MEAN, DEVIATION, (SIDE, SIDE)).items()
        img = img.convert("RGB")
        seen = np.asarray(img.resize((SIDE, SIDE), Image.Resampling.LANCZOS))
        planes = np.concatenate([colors, cues(seen)[None]], axis=1)
        mirrored = self._predict_matte(entry, planes[..., ::-1])[:, ::-1]
        matte = np.asarray((self._predict_matte(entry, planes) + mirrored) / 2, np.float32)
        solid = enlarge(keep_main_parts(weigh_by_color(seen, matte)), img)
        if not semitransparency:
            return [Image.fromarray(solid)]
        second, close = self.opacity_sessions
        answer = second.run(None, {"planes": planes, "matte": matte[None, None]})[0]
        answer[:, 1:4] *= np.float32(255 / max(1, int(seen.max())))  # `normalize` divides by the brightest
        near = img.resize((CLOSE_SIDE, CLOSE_SIDE), Image.Resampling.LANCZOS)
        large = np.asarray(near, np.float32).transpose(2, 0, 1)[None] / np.float32(255)
        (opacity,) = close.run(None, {"colors": large, "answer": answer, "matte": matte[None, None]})[0]
        return [Image.fromarray(see_through(solid, opacity, img))]

    def _predict_matte(self, entry: str, planes: NDArray[np.float32]) -> NDArray[np.float32]:
        answer: NDArray[np.float32] = self.inner_session.run(None, {entry: np.ascontiguousarray(planes)})[0][0, 0]
        return answer
