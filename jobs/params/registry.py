"""The modalities: which struct of parameters belongs to which."""

from jobs.params.base import Modality, Params
from jobs.params.cutout import CutoutParams
from jobs.params.image import ImageParams
from jobs.params.mesh import MeshParams
from jobs.params.speech import SpeechParams
from jobs.params.video import VideoParams

AnyParams = ImageParams | VideoParams | SpeechParams | MeshParams | CutoutParams

PARAMS_OF: dict[Modality, type[Params]] = {
    "image": ImageParams,
    "video": VideoParams,
    "speech": SpeechParams,
    "3d": MeshParams,
    "remove-background": CutoutParams,
}
"""The struct of each modality; a new modality is one more line."""
