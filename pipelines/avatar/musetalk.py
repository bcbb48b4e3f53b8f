"""The family `musetalk`: a face that says a recording, by MuseTalk 1.5 (TMElyralab), of borrowed classes.

The facts are those of the published code and checkpoint. It does not diffuse: one evaluation of a U-Net like that of
Stable Diffusion 1, at step 0, paints the lower half of a face of 256x256 pixels. It gets the latents of the face
without its lower half and those of the whole face, and as words what Whisper hears around the frame. Frames are painted
25 a second, each alone.

Where the face is the request says, and what is painted is laid on the picture through a soft ellipse: the published
code finds and blends faces with networks whose training data are not for commerce.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from PIL import Image, ImageDraw, ImageFilter
from transformers import WhisperConfig, WhisperFeatureExtractor
from transformers.models.whisper.modeling_whisper import WhisperEncoder

from core.errors.failures import ModelLoadFailed, NotFinite
from jobs.params.video import AvatarParams
from pipelines.avatar.clip import make_clip
from pipelines.avatar.face import Portrait, face_warnings, read_portrait
from pipelines.avatar.voice import HEARD_RATE, Voice, read_voice
from pipelines.catalog.spec import ModelSpec
from pipelines.diffusion.component import load_component
from pipelines.diffusion.state_dict_check import refuse, state_dict_mismatches
from pipelines.memory.weight_loader import WeightLoader, convert_floats_to
from pipelines.runtime.protocol import Inputs, RawOutput, RunContext

FACE = 256
"""Pixels of a side of the face that is painted."""
BATCH = 8
"""Frames that are painted together."""
STATE_SAMPLES = 320
"""Of the recording for each of Whisper's states, which are 50 a second: two for a frame."""
SEEN = 10
"""States that a frame sees: its own two, and two frames before and after."""
BEFORE, AFTER = 4, 12
"""States of silence before and after the recording."""
WINDOW = 30 * HEARD_RATE
"""Samples that Whisper hears at once."""
ELLIPSE, BLUR = (40, 120, 216, 262), 12
"""What of the painted face is shown: left, top, right and bottom, and how soft its edge is, in pixels of `FACE`."""
ENCODERS = ("model.encoder.", "encoder.")
"""What the names of the encoder's tensors begin with, in files of Whisper with and without its words."""


class MuseTalk:
    """A film of `input_image` whose face says `input_audio`."""

    def __init__(self, spec: ModelSpec, weights: Path, device: str, loader: WeightLoader | None = None) -> None:
        dtype = getattr(torch, spec.dtype or ("float32" if device == "cpu" else "float16"))
        loader = loader or WeightLoader(device)
        self.spec, self.device, self.dtype = spec, device, dtype
        self.unet: Any = _load_unet(weights / "musetalkV15", loader, dtype)
        self.vae: Any = load_component(weights / "sd-vae", AutoencoderKL, dtype, loader)
        self.whisper: Any = _load_encoder(weights / "whisper", loader, dtype)
        self.spectra: Any = WhisperFeatureExtractor.from_pretrained(weights / "whisper", local_files_only=True)
        self.places = _places(SEEN * (self.whisper.config.encoder_layers + 1), self.whisper.config.d_model)

    @property
    def modules(self) -> list[torch.nn.Module]:
        """See `pipelines.runtime.protocol.Pipeline`."""
        return [self.unet, self.vae, self.whisper]

    @torch.inference_mode()
    def run(self, params: AvatarParams, inputs: Inputs, ctx: RunContext) -> RawOutput:
        """Return `frames` and `sound`; report after every frame. Raises `NotFinite`."""
        ctx.progress(0.0, "prepare")
        voice = read_voice(inputs.files["input_audio"])
        portrait = read_portrait(inputs.files["input_image"], params, self.spec.limits.max_side)
        frames = self._frames(portrait, voice)
        return make_clip(frames, portrait.picture.size, voice, face_warnings(params), ctx)

    def _frames(self, portrait: Portrait, voice: Voice) -> Iterator[Image.Image]:
        """Yield the picture once for each frame of the recording, with what the face does there."""
        face = _tensor(portrait.picture.crop(portrait.face).resize((FACE, FACE), Image.Resampling.LANCZOS))
        half = face.clone()
        half[..., FACE // 2 :, :] = -1
        latents = torch.cat([self._encode(half), self._encode(face)], 1)
        states, shown = self._hear(voice), _shown(portrait.side)
        for start in range(0, voice.frames, BATCH):
            numbers = range(start, min(start + BATCH, voice.frames))
            words = torch.stack([_seen(states, number) for number in numbers]) + self.places
            for painted in self._paint(latents, words):
                frame = portrait.picture.copy()
                frame.paste(painted.resize(shown.size, Image.Resampling.LANCZOS), portrait.face[:2], shown)
                yield frame

    def _encode(self, face: torch.Tensor) -> torch.Tensor:
        made = self.vae.encode(face.to(self.device, self.dtype)).latent_dist.mode()
        scaled: torch.Tensor = made * self.vae.config.scaling_factor
        return scaled

    def _hear(self, voice: Voice) -> torch.Tensor:
        """Return what Whisper hears: states x (layers + 1) x channels, with silence before and after."""
        parts = []
        for start in range(0, len(voice.heard), WINDOW):
            heard = voice.heard[start : start + WINDOW]
            spectrum = self.spectra(heard, sampling_rate=HEARD_RATE, return_tensors="pt")["input_features"]
            made = self.whisper(spectrum.to(self.device, self.dtype), output_hidden_states=True)
            parts.append(torch.stack(made.hidden_states, 2)[0, : -(-len(heard) // STATE_SAMPLES)])
        states = torch.cat(parts).float().cpu()
        return torch.nn.functional.pad(states, (0, 0, 0, 0, BEFORE, AFTER))

    def _paint(self, latents: torch.Tensor, words: torch.Tensor) -> Iterator[Image.Image]:
        """Yield a face for each of the words. Raises `NotFinite`."""
        step = torch.zeros(1, dtype=torch.long, device=self.device)
        words = words.to(self.device, self.dtype)
        made = self.unet(latents.expand(len(words), -1, -1, -1), step, encoder_hidden_states=words).sample
        pixels = self.vae.decode(made / self.vae.config.scaling_factor).sample.float()
        if not torch.isfinite(pixels).all():
            raise NotFinite(f"{self.spec.id} computed values that are not finite; it made no film.")
        shades = ((pixels.clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).cpu().numpy()
        yield from map(Image.fromarray, shades)


def _load_unet(folder: Path, loader: WeightLoader, dtype: torch.dtype) -> Any:
    config = {name: value for name, value in _read_json(folder / "musetalk.json").items() if not name.startswith("_")}
    with torch.device("meta"):
        net = UNet2DConditionModel(**config)  # type: ignore[no-untyped-call]
    return _filled(folder, net, loader.read([_only_file(folder)], convert_floats_to(dtype)), loader)


def _load_encoder(folder: Path, loader: WeightLoader, dtype: torch.dtype) -> Any:
    """Load the encoder of a file that may hold all of Whisper."""
    with torch.device("meta"):
        net = WhisperEncoder(WhisperConfig(**_read_json(folder / "config.json")))
    tensors = {}
    for name, tensor in loader.read([_only_file(folder)], convert_floats_to(dtype)).items():
        prefix = next((one for one in ENCODERS if name.startswith(one)), None)
        if prefix is not None:
            tensors[name.removeprefix(prefix)] = tensor
    return _filled(folder, net, tensors, loader)


def _filled(folder: Path, net: Any, tensors: dict[str, torch.Tensor], loader: WeightLoader) -> Any:
    """Return the network with these tensors. Raises `ModelLoadFailed` unless they are exactly its own."""
    refuse(folder.name, state_dict_mismatches(net, {name: tuple(each.shape) for name, each in tensors.items()}))
    net.load_state_dict(tensors, strict=True, assign=True)
    return loader.to_device(net.eval().requires_grad_(requires_grad=False))


def _only_file(folder: Path) -> Path:
    found = sorted(folder.glob("*.safetensors"))
    if len(found) != 1:
        raise ModelLoadFailed(f"{folder.name} must hold one safetensors file, and has {len(found)}.")
    return found[0]


def _read_json(file: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise ModelLoadFailed(f"{file.parent.name}/{file.name} could not be read.") from error
    return found


def _places(words: int, channels: int) -> torch.Tensor:
    """Return sinusoidal positions, words x channels (Vaswani et al., 2017, 3.5)."""
    waves = torch.exp(torch.arange(0, channels, 2) * (-np.log(10_000.0) / channels))
    angles = torch.arange(words)[:, None] * waves
    return torch.stack([angles.sin(), angles.cos()], -1).flatten(1)


def _seen(states: torch.Tensor, frame: int) -> torch.Tensor:
    """Return the states that a frame sees, words x channels."""
    start = min(2 * frame, len(states) - SEEN)
    return states[start : start + SEEN].flatten(0, 1)


def _tensor(face: Image.Image) -> torch.Tensor:
    return torch.from_numpy(np.array(face)).permute(2, 0, 1)[None].float() / 127.5 - 1


def _shown(side: int) -> Image.Image:
    """Return how much of the painted face is shown, in its size on the picture."""
    mask = Image.new("L", (FACE, FACE))
    ImageDraw.Draw(mask).ellipse(ELLIPSE, fill=255)
    return mask.filter(ImageFilter.GaussianBlur(BLUR)).resize((side, side), Image.Resampling.BILINEAR)
