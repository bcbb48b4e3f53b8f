"""Text tokens to speech tokens, one at a time: the loop of Chatterbox's T3 with a limit, reports and a way to stop.

It samples the same tokens as the authors' own loops from the same random numbers (tests compare them), with three
differences: the caller limits the number of tokens, every token is reported, and no state stays in the network.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import msgspec
import torch
from transformers.generation.logits_process import (
    LogitsProcessorList,
    MinPLogitsWarper,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from pipelines.speech.layouts import Layout
from pipelines.speech.nets import Nets

SPEECH_TOKENS = 6561
"""Number of tokens that are audio; larger ones are control tokens or unused."""


class SamplingParams(msgspec.Struct, frozen=True):
    """Sampling settings; `max_tokens` is the most to sample."""

    max_tokens: int
    temperature: float
    cfg_weight: float


class SampledTokens(msgspec.Struct, frozen=True):
    """Speech tokens, all below `SPEECH_TOKENS`, and whether the model ended by itself."""

    tokens: torch.Tensor
    is_ended: bool


@torch.inference_mode()
def sample(
    nets: Nets,
    condition: Any,
    text: torch.Tensor,
    params: SamplingParams,
    random: torch.Generator,
    report: Callable[[int], None],
) -> SampledTokens:
    """Speak `text` (1 x n tokens) under a T3 `condition`; `report(count)` after every token may raise to stop it."""
    t3, stop = nets.t3, nets.t3.hp.stop_speech_token
    guidance = 0.0 if nets.layout.is_turbo else params.cfg_weight
    processors = _processors(nets.layout, params.temperature)
    start = torch.full((1, 1), t3.hp.start_speech_token, device=nets.device)
    embedded, prefix = _beginning(t3, condition, text.to(nets.device), start, guidance)
    sampled: list[torch.Tensor] = []
    past = None
    with ExitStack() as stack:
        analyzer = stack.enter_context(_alignment_analyzer(t3, prefix, text.size(1))) if t3.hp.is_multilingual else None
        while len(sampled) < params.max_tokens:
            states = t3.tfmr(inputs_embeds=embedded, past_key_values=past, use_cache=True)
            past = states.past_key_values
            logits = _guided(t3.speech_head(states.last_hidden_state[:, -1, :]).float(), guidance)
            if analyzer is not None:
                logits = analyzer.step(logits, next_token=int(sampled[-1] if sampled else start))
            logits = processors(_so_far(nets.layout, start, sampled), logits)
            token = torch.multinomial(torch.softmax(logits, dim=-1), 1, generator=random)
            if int(token) == stop:
                return SampledTokens(_speech_only(sampled, nets.device), is_ended=True)
            sampled.append(token)
            report(len(sampled))
            embedded = _embedded(t3, token, len(sampled), embedded.size(0))
    return SampledTokens(_speech_only(sampled, nets.device), is_ended=False)


def _beginning(
    t3: Any, condition: Any, text: torch.Tensor, start: torch.Tensor, guidance: float
) -> tuple[torch.Tensor, int]:
    """Return the embedded tokens that precede the first sampled one, and how many come before the text.

    Guidance compares with a second row that has no text. The start token is there twice where positions are learned, as
    in training.
    """
    rows = 2 if guidance > 0 else 1
    embedded, prefix = t3.prepare_input_embeds(
        t3_cond=condition, text_tokens=text.expand(rows, -1), speech_tokens=start.expand(rows, -1), cfg_weight=guidance
    )
    if t3.is_gpt:
        return embedded, prefix
    return torch.cat([embedded, _embedded(t3, start, 0, rows)], dim=1), prefix


def _embedded(t3: Any, token: torch.Tensor, place: int, rows: int) -> torch.Tensor:
    one: torch.Tensor = t3.speech_emb(token)
    if not t3.is_gpt:
        one = one + t3.speech_pos_emb.get_fixed_embedding(place)
    return one.expand(rows, -1, -1)


def _guided(logits: torch.Tensor, guidance: float) -> torch.Tensor:
    if logits.size(0) == 1:
        return logits
    with_text, without = logits[:1], logits[1:]
    return with_text + guidance * (with_text - without)


def _processors(layout: Layout, temperature: float) -> LogitsProcessorList:
    """Return the logits processors; the two families apply the same rules in another order."""
    penalty = RepetitionPenaltyLogitsProcessor(layout.repetition_penalty)
    warmth = TemperatureLogitsWarper(float(temperature))
    if layout.is_turbo:
        return LogitsProcessorList([warmth, TopKLogitsWarper(layout.top_k), TopPLogitsWarper(layout.top_p), penalty])
    return LogitsProcessorList([penalty, warmth, MinPLogitsWarper(layout.min_p), TopPLogitsWarper(layout.top_p)])


def _so_far(layout: Layout, start: torch.Tensor, sampled: list[torch.Tensor]) -> Any:
    """Return the tokens that must not be repeated."""
    if layout.is_turbo and sampled:
        return torch.cat(sampled, dim=1)
    return torch.cat([start, *sampled], dim=1)


def _speech_only(sampled: list[torch.Tensor], device: str) -> torch.Tensor:
    tokens = torch.cat(sampled, dim=1)[0] if sampled else torch.zeros(0, dtype=torch.long, device=device)
    return tokens[tokens < SPEECH_TOKENS]


@contextmanager
def _alignment_analyzer(t3: Any, prefix: int, length: int) -> Iterator[Any]:
    """Attach Chatterbox's alignment analyzer to the network, and remove its hooks afterwards.

    The analyzer follows which word is spoken. It prevents the end before all of the text was spoken, and forces it when
    the voice begins to ramble.
    """
    from chatterbox.models.t3.inference.alignment_stream_analyzer import (
        LLAMA_ALIGNED_HEADS,
        AlignmentStreamAnalyzer,
    )

    layers = [t3.tfmr.layers[layer].self_attn for layer, _ in LLAMA_ALIGNED_HEADS]
    before = [set(layer._forward_hooks) for layer in layers]
    all_attentions = t3.tfmr.config.output_attentions
    analyzer = AlignmentStreamAnalyzer(
        t3.tfmr, None, text_tokens_slice=(prefix, prefix + length), eos_idx=t3.hp.stop_speech_token
    )
    t3.tfmr.config.output_attentions = all_attentions  # it needs those of three layers only, and has hooks there
    try:
        yield analyzer
    finally:
        for layer, known in zip(layers, before, strict=True):
            for added in set(layer._forward_hooks) - known:
                del layer._forward_hooks[added]
