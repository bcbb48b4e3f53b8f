"""The preprocessors of one model: what draws its control pictures, loaded from the folders beside its own."""

from collections.abc import Callable
from pathlib import Path

from PIL import Image
from torch import nn

from core.errors.fields import NotThisModel
from jobs.params.image import ControlKind
from pipelines.catalog.requirements import undrawn
from pipelines.catalog.spec import ModelSpec
from pipelines.memory.weight_loader import WeightLoader
from pipelines.preprocessors.canny import draw_edges
from pipelines.preprocessors.depth import DepthAnything
from pipelines.preprocessors.people import People
from pipelines.preprocessors.pose import Pose

Draw = Callable[[Image.Image], Image.Image]
"""Function that makes of an RGB picture the control picture, RGB and of the same size."""


class Drawers:
    """Functions that draw control pictures, by their kind, and the networks that they take."""

    def __init__(self, spec: ModelSpec, weights: Path, loader: WeightLoader) -> None:
        """Load the preprocessors of `spec` from the folders beside `weights`, in float32, whatever the model's is.

        Raises `ModelLoadFailed` for files that are missing, or do not fit their configuration.
        """
        folders = {bundle.key: bundle.directory(weights.parent) for bundle in spec.bundles}
        found = {name: folders[f"{spec.id}+{name}"] for name in spec.preprocessors}
        self.modules = list[nn.Module]()
        self._spec = spec
        self._draw: dict[ControlKind, Draw] = {"canny": draw_edges}
        if "depth" in found:
            depth = DepthAnything(found["depth"], loader)
            self._draw["depth"] = depth.draw
            self.modules.append(depth.model)
        if "pose" in found:
            people = People(found["people"], loader) if "people" in found else None
            pose = Pose(found["pose"], loader, people)
            self._draw["pose"] = pose.draw
            self.modules += [pose.model] if people is None else [pose.model, people.model]

    def draw(self, kind: ControlKind, picture: Image.Image) -> Image.Image:
        """Return the control picture of an RGB picture. Raises `NotThisModel` for a kind that is not drawn here."""
        if kind not in self._draw:
            raise NotThisModel(f"{undrawn(self._spec, kind)}.", field="$.control_kind")
        return self._draw[kind](picture)
