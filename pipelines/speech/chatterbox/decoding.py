"""One token of T3 after another, on the device and in tensors of fixed shape, so that a step can be a CUDA graph."""

from collections.abc import Sequence
from typing import Any

import torch
from transformers.generation.logits_process import (
    LogitsProcessor,
    MinPLogitsWarper,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from pipelines.speech.chatterbox.alignment import AlignmentWatch
from pipelines.speech.chatterbox.layouts import Layout

NOT_FINITE = -1
"""Written instead of a token that was drawn from probabilities that are not finite."""
_ALIGNMENT = 64
"""Keys are a multiple of so many: kernels of attention with a mask want it so."""


class StaticKeys:
    """Keys and values of all layers for `length` positions: the part of transformers' `Cache` that its models use.

    Theirs counts positions anew in every layer.
    """

    def __init__(self, config: Any, rows: int, length: int, like: torch.Tensor) -> None:
        head = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
        shape = (config.num_hidden_layers, 2, rows, heads, length, head)
        self._memory = like.new_zeros(shape)
        self.position = torch.zeros(1, dtype=torch.long, device=like.device)
        """Where the next token goes."""

    def update(
        self, keys: torch.Tensor, values: torch.Tensor, layer: int, *_: Any, **__: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Store those of the first tokens, or of the one at `position`; return all that the tokens may look at."""
        kept = self._memory[layer]
        count = keys.size(2)
        if count > 1:
            kept[0, :, :, :count], kept[1, :, :, :count] = keys, values
            return keys, values
        kept[0].index_copy_(2, self.position, keys)
        kept[1].index_copy_(2, self.position, values)
        return kept[0], kept[1]


class SeenPenalty:
    """`RepetitionPenaltyLogitsProcessor` of transformers, by which tokens were seen instead of their list.

    Positive logits of those are divided by `penalty`, negative ones multiplied by it.
    """

    def __init__(self, penalty: float) -> None:
        self._penalty = penalty

    def __call__(self, seen: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
        """Return the logits; `seen` is a boolean for each."""
        less = torch.where(logits < 0, logits * self._penalty, logits / self._penalty)
        return torch.where(seen, less, logits)


class TokenDecoder:
    """T3 with the state of one text at a time: `begin` it, then `step` from token to token.

    `rows` is 2 with guidance, 1 without. A text and its tokens fit `length` positions together, and at most `most`
    tokens are made of one. Each token needs new `noise` (1 x vocabulary), exponentially distributed: with it the choice
    is that of `torch.multinomial`.
    """

    def __init__(
        self, t3: Any, layout: Layout, guidance: float, temperature: float, length: int, most: int, device: str
    ) -> None:
        self.rows = 2 if guidance > 0 else 1
        length = -(-length // _ALIGNMENT) * _ALIGNMENT
        weight, vocabulary = t3.speech_head.weight, t3.speech_head.weight.size(0)
        self.noise = torch.empty(1, vocabulary, device=device)
        self.tokens = torch.zeros(1, most, dtype=torch.long, device=device)
        """The tokens of this text; only the first ones, as many as steps were taken, are its own."""
        self.watch = AlignmentWatch(t3.tfmr, length, t3.hp.stop_speech_token, device) if t3.hp.is_multilingual else None
        self._t3, self._layout, self._guidance = t3, layout, guidance
        self._processors = _processors(layout, temperature)
        self._keys = StaticKeys(t3.tfmr.config, self.rows, length, weight)
        self._mask = weight.new_full((1, 1, 1, length), -torch.inf)
        self._count = torch.zeros(1, dtype=torch.long, device=device)
        self._last, self._before = (torch.zeros(1, 1, dtype=torch.long, device=device) for _ in range(2))
        self._seen = torch.zeros(1, vocabulary, dtype=torch.bool, device=device)

    def begin(self, embedded: torch.Tensor, text: tuple[int, int]) -> None:
        """Make the first token after `embedded` (rows x positions x width), whose `text` is at these positions."""
        count, start = embedded.size(1), self._t3.hp.start_speech_token
        self._mask.fill_(-torch.inf)[..., :count] = 0
        self._keys.position.fill_(count)
        self._count.zero_()
        self._last.fill_(start)
        self._seen.zero_()[:, start] = True
        if self.watch is not None:
            self.watch.begin(*text)
        places = torch.arange(count, device=embedded.device)
        causal = embedded.new_zeros(count, count).masked_fill_(places > places[:, None], -torch.inf)
        self._choose(self._states(embedded, places[None], causal[None, None]))
        if self._layout.is_turbo:  # there the start token is not one that must not be repeated
            self._seen[:, start] = self._last[0] == start

    def step(self) -> None:
        """Make the next token; it never waits for the device."""
        position = self._keys.position
        self._mask.index_fill_(3, position, 0)
        states = self._states(embed_token(self._t3, self._last, self._count, self.rows), position[None], self._mask)
        position += 1
        self._choose(states)

    def _states(self, embedded: torch.Tensor, places: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Return the network's last states, rows x width."""
        states: torch.Tensor = self._t3.tfmr(
            inputs_embeds=embedded, position_ids=places, attention_mask=mask, past_key_values=self._keys, use_cache=True
        ).last_hidden_state
        return states[:, -1, :]

    def _choose(self, states: torch.Tensor) -> None:
        logits = self._guided(self._t3.speech_head(states).float())
        if self.watch is not None:
            logits = self.watch.adjust(logits, self._last, self._before)
        for process in self._processors:
            logits = process(self._seen, logits)
        chances = torch.softmax(logits, dim=-1)
        token = (chances / self.noise).argmax(dim=-1, keepdim=True)
        self._before.copy_(self._last)
        self._last.copy_(token)
        self._seen.scatter_(1, token, True)
        shown = torch.where(chances.isfinite().all(), token, NOT_FINITE)
        self.tokens.index_copy_(1, self._count, shown)
        self._count += 1

    def _guided(self, logits: torch.Tensor) -> torch.Tensor:
        if self.rows == 1:
            return logits
        with_text, without = logits[:1], logits[1:]
        return with_text + self._guidance * (with_text - without)


def embed_token(t3: Any, token: torch.Tensor, place: torch.Tensor, rows: int) -> torch.Tensor:
    """Return a speech token (1 x 1) at its place (of one number) among them: rows x 1 x width."""
    one: torch.Tensor = t3.speech_emb(token)
    if not t3.is_gpt:
        one = one + t3.speech_pos_emb.get_fixed_embedding(place)
    return one.expand(rows, -1, -1)


def _processors(layout: Layout, temperature: float) -> Sequence[LogitsProcessor | SeenPenalty]:
    """Return the logits processors; the two families apply the same rules in another order."""
    penalty = SeenPenalty(layout.repetition_penalty)
    warmth = TemperatureLogitsWarper(float(temperature))
    if layout.is_turbo:
        return [warmth, TopKLogitsWarper(layout.top_k), TopPLogitsWarper(layout.top_p), penalty]
    return [penalty, warmth, MinPLogitsWarper(layout.min_p), TopPLogitsWarper(layout.top_p)]
