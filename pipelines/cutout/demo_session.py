"""A rembg session for the network that this project trained (pipelines/matting).

Import it through `sessions.session_class`: that goes past rembg's own front door.
"""

from typing import Any

import numpy as np
from PIL import Image
from rembg.sessions.base import BaseSession  # type: ignore[import-untyped]

from pipelines.cutout.cues import cues

MEAN, DEVIATION, SIDE = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), 256


class DemoSession(BaseSession):  # type: ignore[misc]
    """The network sees the picture and its `cues`; its answer is the matte as it is, so a picture of nothing gives an
    empty one."""

    def predict(self, img: Image.Image, *args: Any, **kwargs: Any) -> list[Image.Image]:
        """One matte of the size of `img`, mode L."""
        ((entry, colours),) = self.normalize(img, MEAN, DEVIATION, (SIDE, SIDE)).items()
        seen = np.asarray(img.convert("RGB").resize((SIDE, SIDE), Image.Resampling.LANCZOS))
        planes = np.concatenate([colours, cues(seen)[None]], axis=1)
        matte = self.inner_session.run(None, {entry: planes})[0][0, 0]
        small = Image.fromarray((np.clip(matte, 0, 1) * 255 + 0.5).astype(np.uint8))
        return [small.resize(img.size, Image.Resampling.BICUBIC)]
