"""What a caller may ask for, one frozen struct per modality."""

from jobs.params.base import Modality, Params, changed_fields, read_params, refuse_nul, refuse_unbuilt
from jobs.params.cutout import CutoutParams
from jobs.params.image import ImageParams
from jobs.params.media import MediaKind, Medium, media_of, with_sources
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

__all__ = [
    "PARAMS_OF",
    "AnyParams",
    "CutoutParams",
    "ImageParams",
    "MediaKind",
    "Medium",
    "MeshParams",
    "Modality",
    "Params",
    "SpeechParams",
    "VideoParams",
    "changed_fields",
    "media_of",
    "read_params",
    "refuse_nul",
    "refuse_unbuilt",
    "with_sources",
]
