"""The family `demo-relief`: the silhouette of a picture, inflated, with the picture on both of its sides.

NumPy and SciPy, one core. The weights are those of the demo's background removal, for pictures that are no cut-out.
"""

from pathlib import Path

import numpy as np
from PIL import Image

from jobs.params import MeshParams
from pipelines.mesh.inflate import relief_of
from pipelines.mesh.silhouette import Matte, cutout_of
from pipelines.pipeline import Inputs, Raw, RunContext
from pipelines.spec import ModelSpec


class Relief:
    """A closed mesh of `image_path`, as `pipelines.mesh` says, with its texture. The seed has no part in it."""

    def __init__(self, spec: ModelSpec, weights: Path, device: str) -> None:
        self.spec = spec
        self.network = next(iter(sorted(weights.glob("*.onnx")))) if spec.source.needs_weights else None

    def run(self, params: MeshParams, inputs: Inputs, ctx: RunContext) -> Raw:
        """At most `max_faces` triangles. Raises `InputUnreadable` for a picture in which there is nothing."""
        ctx.progress(0.0, "prepare")
        cutout = cutout_of(inputs.files["image_path"], self._matte if self.network else None)
        for warning in cutout.warnings:
            ctx.warn(warning)
        ctx.progress(0.3, "step")
        shape = relief_of(cutout.alpha, params.max_faces)
        ctx.progress(0.95, "encode")
        return Raw(
            arrays={
                "vertices": shape.vertices,
                "faces": shape.faces,
                "uv": shape.uv,
                "texture": np.ascontiguousarray(cutout.colours),
            },
            warnings=cutout.warnings,
            facts={"seed": ctx.seed},
        )

    def _matte(self, picture: Image.Image) -> Matte:
        # Only here: cut-outs need neither onnxruntime nor the half second that it takes to import.
        from pipelines.cutout.sessions import DEMO, open_session

        assert self.network is not None
        return np.asarray(open_session(DEMO, self.network, "cpu").predict(picture)[0])
