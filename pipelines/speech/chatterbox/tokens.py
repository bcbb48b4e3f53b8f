"""Text tokens to speech tokens: the loop of Chatterbox's T3 with a limit, reports and a way to stop.

It samples the same tokens as the authors' own loops from the same random numbers (tests compare them), with three
differences: the caller limits the number of tokens, they are reported, and no state stays in the network.

On a GPU a token is one launch, and the host looks at them every `STRIDE` tokens: until then it does not know that the
text has ended. Tokens past the end are thrown away, and so are their random numbers.
"""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

import msgspec
import torch

from core.errors.failures import NotFinite
from pipelines.runtime.cuda_graph import GraphedStep
from pipelines.speech.chatterbox.decoding import NOT_FINITE, TokenDecoder, embed_token
from pipelines.speech.chatterbox.nets import Nets

SPEECH_TOKENS = 6561
"""Number of tokens that are audio; larger ones are control tokens or unused."""
STRIDE = 8
"""Tokens that a GPU makes between two looks of the host."""
_STARTS = 2
"""Start tokens before the first sampled one, at most."""


class SamplingParams(msgspec.Struct, frozen=True):
    """Sampling settings of a job; `max_tokens` is the most to sample of one text, `max_text` of the longest text."""

    max_tokens: int
    temperature: float
    cfg_weight: float
    max_text: int


class SampledTokens(msgspec.Struct, frozen=True):
    """Speech tokens, all below `SPEECH_TOKENS`, and whether the model ended by itself."""

    tokens: torch.Tensor
    is_ended: bool


class TokenSampler:
    """The sampling of one job's texts, which have one voice. The memory of its keys is freed with it.

    The CUDA graph holds addresses of the weights, so it must not outlive the job: they move when a model is offloaded.
    """

    def __init__(self, nets: Nets, params: SamplingParams, random: torch.Generator, stride: int = 0) -> None:
        """Sample with numbers from `random`, looking at each `stride` tokens (0: as the device wants it)."""
        self._nets, self._params, self._random = nets, params, random
        self._stride = stride or (1 if nets.device == "cpu" else STRIDE)
        self._guidance = 0.0 if nets.layout.is_turbo else params.cfg_weight
        self._decoder: TokenDecoder | None = None
        self._step: GraphedStep | None = None

    @property
    def defect(self) -> str:
        """Why each token takes many launches of a GPU instead of one; empty where it does not."""
        return self._step.defect if self._step else ""

    @torch.inference_mode()
    def sample(
        self,
        condition: Any,
        text: torch.Tensor,
        max_tokens: int,
        report: Callable[[int], None],
        offer: Callable[[Sequence[int]], None] = lambda tokens: None,
    ) -> SampledTokens:
        """Speak `text` (1 x n tokens) under a T3 `condition`; `report(count)` after every token may raise to stop it.

        `offer` gets all tokens so far whenever the host looks at them. Raises `NotFinite`.
        """
        embedded, prefix = self._beginning(condition, text.to(self._nets.device))
        decoder, step = self._prepared(prefix)
        made, stop = list[int](), self._nets.t3.hp.stop_speech_token
        with decoder.watch.attached() if decoder.watch else nullcontext():
            while len(made) < max_tokens:
                before, count = self._random.get_state(), min(self._stride, max_tokens - len(made))
                for number in range(count):
                    self._draw(decoder)
                    if made or number:
                        step()
                    else:
                        decoder.begin(embedded, (prefix, prefix + text.size(1)))
                fresh = decoder.tokens[0, len(made) : len(made) + count].tolist()
                ends = [number for number, token in enumerate(fresh) if token in (stop, NOT_FINITE)]
                for token in fresh[: ends[0]] if ends else fresh:
                    made.append(token)
                    report(len(made))
                offer(made)
                if ends:
                    self._end(decoder, fresh[ends[0]], before, ends[0] + 1)
                    return self._sampled(made, is_ended=True)
        return self._sampled(made, is_ended=False)

    def _beginning(self, condition: Any, text: torch.Tensor) -> tuple[torch.Tensor, int]:
        """Return the embedded tokens that precede the first sampled one, and how many come before the text.

        Guidance compares with a second row that has no text. The start token is there twice where positions are
        learned, as in training.
        """
        t3, rows = self._nets.t3, 2 if self._guidance > 0 else 1
        start = torch.full((1, 1), t3.hp.start_speech_token, device=text.device)
        embedded, prefix = t3.prepare_input_embeds(
            t3_cond=condition,
            text_tokens=text.expand(rows, -1),
            speech_tokens=start.expand(rows, -1),
            cfg_weight=self._guidance,
        )
        if t3.is_gpt:
            return embedded, prefix
        return torch.cat([embedded, embed_token(t3, start, torch.zeros_like(start), rows)], dim=1), prefix

    def _prepared(self, prefix: int) -> tuple[TokenDecoder, GraphedStep]:
        """Return what decodes; made for the first text, when it is known how long the voice is."""
        if self._decoder is None or self._step is None:
            params, nets = self._params, self._nets
            length = prefix + params.max_text + _STARTS + params.max_tokens
            self._decoder = TokenDecoder(
                nets.t3, nets.layout, self._guidance, params.temperature, length, params.max_tokens, nets.device
            )
            self._step = GraphedStep(self._decoder.step, nets.device)
        return self._decoder, self._step

    def _draw(self, decoder: TokenDecoder) -> None:
        """Draw the random numbers of a token; outside of the graph, which would need to know of the generator."""
        decoder.noise.exponential_(1, generator=self._random)

    def _end(self, decoder: TokenDecoder, token: int, before: torch.Tensor, count: int) -> None:
        """Leave the random numbers as if no token had been made after the last one."""
        if token == NOT_FINITE:
            raise NotFinite("The model computed values that are not finite; it made no audio.")
        self._random.set_state(before)
        for _ in range(count):
            self._draw(decoder)

    def _sampled(self, made: list[int], *, is_ended: bool) -> SampledTokens:
        speech = [token for token in made if token < SPEECH_TOKENS]
        return SampledTokens(torch.tensor(speech, dtype=torch.long, device=self._nets.device), is_ended)
