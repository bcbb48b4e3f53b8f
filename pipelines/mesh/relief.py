"""The family `demo-relief`: the inflated silhouette of an image, with the image on both of its sides.

NumPy and SciPy, one core, no weights.
"""

from pathlib import Path

import numpy as np

from jobs.params.mesh import MeshParams
from pipelines.catalog.spec import ModelSpec
from pipelines.mesh.inflate import relief_of
from pipelines.mesh.silhouette import cutout_of
from pipelines.runtime.protocol import Inputs, RawOutput, RunContext


class Relief:
    """A closed mesh of `image_path`, as `surface` describes, with its texture. The seed has no effect."""

    def __init__(self, spec: ModelSpec, weights: Path, device: str) -> None:
        self.spec = spec

    def run(self, params: MeshParams, inputs: Inputs, ctx: RunContext) -> RawOutput:
        """Make a mesh of at most `max_faces` triangles. Raises `InputUnreadable` for an image without an object."""
        ctx.progress(0.0, "prepare")
        cutout = cutout_of(inputs.files["image_path"])
        for warning in cutout.warnings:
            ctx.warn(warning)
        ctx.progress(0.3, "step")
        shape = relief_of(cutout.alpha, params.max_faces)
        ctx.progress(0.95, "encode")
        return RawOutput(
            arrays={
                "vertices": shape.vertices,
                "faces": shape.faces,
                "uv": shape.uv,
                "texture": np.ascontiguousarray(cutout.colors),
            },
            warnings=cutout.warnings,
            metadata={"seed": ctx.seed},
        )
