"""Remote backends of the catalog, and in which order a model's jobs go to them and to the servers of this installation.

No torch, no numpy: the API imports this module.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from jobs.params.registry import Modality

LOCAL = "local"
"""The name, in a model's order, of the GPU servers of this installation."""
REMOTE = "remote"
"""The family of a model that has no pipeline here: backends alone make it."""
SERVER_PREFIX = "backend:"
"""What the name of a backend begins with as a server, so that a job can ask for it."""

BackendKind = Literal["openai", "atelier"]
BackendName = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9.-]{0,99}$")]
RemoteModel = Annotated[str, Meta(min_length=1, max_length=200)]
Waiting = Annotated[float, Meta(gt=0)]
MADE_BY: dict[BackendKind, tuple[Modality, ...]] = {"openai": ("image", "speech"), "atelier": ("image", "speech")}
"""The modalities that a kind of backend makes."""
Extra = Literal["seed", "negative_prompt", "num_inference_steps", "guidance_scale"]


class Backend(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A service elsewhere that makes outputs of models.

    - `kind`: "openai" speaks OpenAI's images and speech, as vLLM-Omni and SGLang do; "atelier" is another Atelier.
    - `url`: what its paths follow, for "openai" with its `/v1`. No address beside it is connected to, but the object
      store of another Atelier, by the rules for URLs of callers.
    - `concurrency`: how many jobs it gets at once.
    - `timeout_seconds`: how long a job may take there; `max_output_bytes`: the largest file that is accepted.

    Its API key is not here: `ATELIER_BACKEND_KEYS` has it, by name.
    """

    name: BackendName
    kind: BackendKind
    url: Annotated[str, Meta(pattern=r"^https?://[^/?#@\s]+(/[^?#\s]*)?$", max_length=500)]
    concurrency: Annotated[int, Meta(ge=1, le=64)] = 4
    timeout_seconds: Annotated[float, Meta(gt=0, le=7200)] = 300.0
    max_output_bytes: Annotated[int, Meta(ge=1, le=500_000_000)] = 100_000_000

    def __post_init__(self) -> None:
        if self.name == LOCAL:
            raise ValueError(f'a backend cannot be called "{LOCAL}"')

    @property
    def server_id(self) -> str:
        """Its name as a server."""
        return SERVER_PREFIX + self.name


class ModelBackend(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A place in a model's order: a backend, or the servers of this installation under the name "local".

    A job goes to the first that is up. One further down also takes a job that has waited for `after_seconds`.

    - `model`: what the backend calls the model, where it calls it otherwise.
    - `voice`: the voice that it is asked for, of speech over OpenAI's protocol.
    - `sends`: fields of the request that it understands beyond OpenAI's own.
    """

    name: BackendName
    model: RemoteModel | None = None
    voice: RemoteModel | None = None
    sends: tuple[Extra, ...] = ()
    after_seconds: Waiting | None = None

    def __post_init__(self) -> None:
        if self.name == LOCAL and (self.model or self.voice or self.sends or self.after_seconds is not None):
            raise ValueError(f'"{LOCAL}" in `backends` has a name alone')


def check_order(order: tuple[ModelBackend, ...], family: str, *, needs_weights: bool) -> None:
    """Raise `ValueError` for an order that names something twice, or does not fit the entry's family."""
    names = [place.name for place in order]
    if len(set(names)) < len(names):
        raise ValueError("`backends` names one of them twice")
    if order and order[0].after_seconds is not None:
        raise ValueError("the first of `backends` takes jobs at once; remove its `after_seconds`")
    is_remote = bool(order) and LOCAL not in names
    if is_remote != (family == REMOTE):
        raise ValueError(
            f'`family = "{REMOTE}"` is for a model that `backends` alone make, without "{LOCAL}" among them'
        )
    if is_remote and needs_weights:
        raise ValueError(f'a model of the family "{REMOTE}" has no `source`')
