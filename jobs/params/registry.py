"""The modalities of the service: a new one is its module, and a line in each of three places here."""

from typing import Literal

from jobs.params.base import Params
from jobs.params.branding import BRANDING, BrandingParams
from jobs.params.cutout import CUTOUT, SEGMENT, CutoutParams, SegmentParams
from jobs.params.image import IMAGE, ImageParams
from jobs.params.join import JOIN, JoinParams
from jobs.params.mesh import MESH, MeshParams
from jobs.params.modality import ModalitySpec
from jobs.params.sound import MUSIC, SOUND, MusicParams, SoundParams
from jobs.params.speech import SPEECH, SpeechParams
from jobs.params.text import EMBEDDING, TEXT, TRANSCRIPT, EmbeddingParams, TextParams, TranscriptParams
from jobs.params.upscale import INTERPOLATE, UPSCALE, InterpolateParams, UpscaleParams
from jobs.params.vectorize import VECTORIZE, VectorizeParams
from jobs.params.video import AVATAR, VIDEO, AvatarParams, VideoParams

Modality = Literal[
    "image",
    "video",
    "speech",
    "3d",
    "remove-background",
    "branding",
    "join",
    "vectorize",
    "text",
    "upscale",
    "sound",
    "music",
    "transcript",
    "avatar",
    "embedding",
    "segment",
    "interpolate",
]
"""Names of the modalities, as rows, catalog entries and answers hold them."""

AnyParams = (
    ImageParams
    | VideoParams
    | SpeechParams
    | MeshParams
    | CutoutParams
    | BrandingParams
    | JoinParams
    | VectorizeParams
    | TextParams
    | UpscaleParams
    | SoundParams
    | MusicParams
    | TranscriptParams
    | AvatarParams
    | EmbeddingParams
    | SegmentParams
    | InterpolateParams
)

MODALITIES: tuple[ModalitySpec, ...] = (
    IMAGE,
    VIDEO,
    CUTOUT,
    SPEECH,
    MESH,
    BRANDING,
    JOIN,
    VECTORIZE,
    TEXT,
    UPSCALE,
    SOUND,
    MUSIC,
    TRANSCRIPT,
    AVATAR,
    EMBEDDING,
    SEGMENT,
    INTERPOLATE,
)
"""In the order in which documentation lists them."""

PARAMS_OF: dict[str, type[Params]] = {modality.name: modality.params for modality in MODALITIES}
"""The parameters of each modality, by its name."""


def modality_named(name: str) -> ModalitySpec:
    """Return the modality of a name; raises `KeyError` for a name that is not a modality's."""
    return {modality.name: modality for modality in MODALITIES}[name]
