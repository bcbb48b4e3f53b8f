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

MEAN, DEVIATION, SIDE = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), 256


class DemoSession(BaseSession):  # type: ignore[misc]
    """The demo network, run on the image and its mirror image with their `cues`, then refined.

    The matte is not stretched to 0 to 1, so an image without an object gives an empty matte.
    """

    open_opacity: Callable[[], Any]
    """Opens the second network, which only the requests that ask for it need."""

    @cached_property
    def opacity_session(self) -> Any:
        """ONNX Runtime's session of the second network; it stays once it is open."""
        return self.open_opacity()

    def predict(self, img: Image.Image, *args: Any, semitransparency: bool = False, **kwargs: Any) -> list[Image.Image]:
        """Return one matte of the size of `img`, mode L; with `semitransparency` the second network adds to it."""
        ((entry, colors),) = self.normalize(img, MEAN, DEVIATION, (SIDE, SIDE)).items()
        img = img.convert("RGB")
        seen = np.asarray(img.resize((SIDE, SIDE), Image.Resampling.LANCZOS))
        planes = np.concatenate([colors, cues(seen)[None]], axis=1)
        mirrored = self._predict_matte(entry, planes[..., ::-1])[:, ::-1]
        matte = np.asarray((self._predict_matte(entry, planes) + mirrored) / 2, np.float32)
        solid = enlarge(keep_main_parts(weigh_by_color(seen, matte)), img)
        if not semitransparency:
            return [Image.fromarray(solid)]
        (opacity,) = self.opacity_session.run(None, {"planes": planes, "matte": matte[None, None]})[0]
        opacity[1:4] *= np.float32(255 / max(1, int(seen.max())))  # `normalize` divides by the brightest
        return [Image.fromarray(see_through(solid, opacity, img))]

    def _predict_matte(self, entry: str, planes: NDArray[np.float32]) -> NDArray[np.float32]:
        answer: NDArray[np.float32] = self.inner_session.run(None, {entry: np.ascontiguousarray(planes)})[0][0, 0]
        return answer
