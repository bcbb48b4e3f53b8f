"""Speech tokens to sound while they are still sampled, in pieces that are longer and longer.

S3Gen is not causal: what it makes of the first tokens changes with those that follow. So each piece is made of all
tokens so far, and only the frames are kept that no piece had yet, up to the last `LOOKAHEAD` tokens. The pieces of the
vocoder overlap by `OVERLAP` frames, which are cross-faded, and its source goes on from one to the next: the way of
CosyVoice 2 (https://github.com/FunAudioLLM/CosyVoice), whose networks S3Gen's are.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from chatterbox.models.s3gen.s3gen import S3Token2Mel

from pipelines.runtime.matmul_precision import tensor_float_matmuls
from pipelines.speech.chatterbox.nets import Nets
from pipelines.speech.chatterbox.tokens import SPEECH_TOKENS
from pipelines.speech.chatterbox.voices import ReferenceVoice
from pipelines.speech.samples import Edge, Samples

FIRST_TOKENS, MOST_TOKENS = 20, 160
"""Tokens of the first piece, 0.8 s, and the most that a later one has more than the one before."""
LOOKAHEAD = 3
"""Tokens whose frames still change much with the next ones; S3Gen's encoder looks so far ahead."""
OVERLAP = 8
"""Frames of the vocoder that two pieces have in common."""
FRAMES_PER_TOKEN, FRAME = 2, 480
"""A frame is 480 samples, 20 ms."""

Play = Callable[[Samples, bool, Edge], None]
"""Takes a piece, whether it is the first one, and how it ends."""


class StreamedDecoder:
    """The sound of one chunk of a text; `play` gets its pieces.

    The same tokens give the same pieces with the same `seed`, whose random state is the decoder's own. `most` is the
    number of tokens at most.
    """

    def __init__(self, nets: Nets, voice: ReferenceVoice, seed: int, most: int, play: Play) -> None:
        self._nets, self._voice, self._seed, self._play = nets, voice, seed, play
        random = torch.Generator().manual_seed(seed)
        self._noise = torch.randn(1, 80, FRAMES_PER_TOKEN * most, generator=random).to(nets.device)
        self._frames, self._pieces = 0, 0
        self._next, self._grows_by = FIRST_TOKENS, FIRST_TOKENS
        self._mel: Any = None
        self._source: Any = None
        self._tail = np.zeros(0, np.float32)
        """What the last piece has kept back, to be cross-faded with the next one."""

    def offer(self, tokens: Sequence[int]) -> None:
        """Make a piece if there are enough of `tokens`, which are all so far."""
        if len(tokens) < self._next:
            return
        speech = [token for token in tokens if token < SPEECH_TOKENS]
        if len(speech) >= self._next:
            tensor = torch.tensor(speech, dtype=torch.long, device=self._nets.device)
            self._play(self._piece(tensor, is_last=False), self._pieces == 1, "cut")
            self._next = len(speech) + self._grows_by
            self._grows_by = min(2 * self._grows_by, MOST_TOKENS)

    def finish(self, tokens: torch.Tensor, before: Edge) -> None:
        """Make the last piece; `tokens` are all."""
        samples = self._piece(tokens, is_last=True)
        self._play(samples, self._pieces == 1, before)

    @torch.inference_mode()
    def _piece(self, tokens: torch.Tensor, *, is_last: bool) -> Samples:
        """Return the next piece."""
        devices = [self._nets.device] if self._nets.device != "cpu" else []
        with torch.random.fork_rng(devices=devices), tensor_float_matmuls(self._nets.device):
            torch.manual_seed(self._seed + self._pieces)
            mel = self._new_frames(tokens, is_last=is_last)
            wave = self._vocode(mel)
        samples: Samples = wave[0].float().cpu().numpy()
        if len(self._tail):
            fade = _rising(len(self._tail))
            samples[: len(fade)] = samples[: len(fade)] * fade + self._tail * fade[::-1]
        kept = 0 if is_last else OVERLAP * FRAME
        self._tail = samples[len(samples) - kept :]
        self._pieces += 1
        return samples[: len(samples) - kept]

    def _new_frames(self, tokens: torch.Tensor, *, is_last: bool) -> Any:
        """Return the frames that no piece had yet, after the last ones of the piece before."""
        s3gen = self._nets.s3gen
        mel = S3Token2Mel.forward(
            s3gen,
            tokens[None],
            ref_wav=None,
            ref_sr=None,
            ref_dict=dict(self._voice.leading),  # it writes into the dictionary that it gets
            n_cfm_timesteps=2 if s3gen.meanflow else 10,
            finalize=True,
            noised_mels=self._noise[:, :, : FRAMES_PER_TOKEN * len(tokens)],
        ).to(s3gen.dtype)
        end = FRAMES_PER_TOKEN * (len(tokens) - (0 if is_last else LOOKAHEAD))
        new, self._frames = mel[:, :, self._frames : end], end
        return new if self._mel is None else torch.cat([self._mel, new], dim=2)

    def _vocode(self, mel: Any) -> Any:
        s3gen = self._nets.s3gen
        begins = self._mel is None
        source = torch.zeros(1, 1, 0, device=mel.device, dtype=mel.dtype) if begins else self._source
        wave, made = s3gen.mel2wav.inference(speech_feat=mel, cache_source=source)
        if begins:  # what `S3Gen.inference` does against the end of the reference voice
            length = min(len(s3gen.trim_fade), wave.shape[1])
            wave[:, :length] *= s3gen.trim_fade[:length]
        self._mel, self._source = mel[:, :, -OVERLAP:], made[:, :, -OVERLAP * FRAME :]
        return wave


def _rising(length: int) -> Samples:
    return ((1 - np.cos(np.linspace(0, np.pi, length))) / 2).astype(np.float32)
