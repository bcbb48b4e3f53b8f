"""The parts of a step that stand for ones of transformers and torch."""

import pytest
import torch
from transformers import LlamaConfig, LlamaModel
from transformers.generation.logits_process import RepetitionPenaltyLogitsProcessor

from pipelines.speech.chatterbox.decoding import SeenPenalty, StaticKeys


@pytest.mark.parametrize("tokens", [[3], [3, 0, 3, 7], list(range(20))])
def test_the_penalty_is_that_of_transformers(tokens: list[int]) -> None:
    logits = torch.randn(1, 20, generator=torch.Generator().manual_seed(2))
    seen = torch.zeros(1, 20, dtype=torch.bool)
    seen[0, tokens] = True
    expected = RepetitionPenaltyLogitsProcessor(1.3)(torch.tensor([tokens]), logits.clone())
    assert torch.equal(expected, SeenPenalty(1.3)(seen, logits))


def test_the_choice_with_noise_is_that_of_multinomial() -> None:
    chances = torch.softmax(torch.randn(1, 500, generator=torch.Generator().manual_seed(3)), dim=-1)
    one, other = (torch.Generator().manual_seed(9) for _ in range(2))
    for _ in range(50):
        noise = torch.empty(1, 500).exponential_(1, generator=one)
        assert torch.equal(
            torch.multinomial(chances, 1, generator=other), (chances / noise).argmax(dim=-1, keepdim=True)
        )


@torch.inference_mode()
def test_fixed_keys_give_what_growing_ones_give() -> None:
    config = LlamaConfig(
        vocab_size=8,
        hidden_size=32,
        intermediate_size=16,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=64,
    )
    torch.manual_seed(4)
    model, values = LlamaModel(config).eval(), torch.randn(2, 9, 32)
    keys, mask = StaticKeys(config, 2, 64, values), torch.full((1, 1, 1, 64), -torch.inf)
    causal = torch.full((5, 5), -torch.inf).triu(1)[None, None]
    found = model(
        inputs_embeds=values[:, :5], attention_mask=causal, past_key_values=keys, position_ids=torch.arange(5)[None]
    )
    expected = model(inputs_embeds=values[:, :5], use_cache=True)
    assert torch.allclose(expected.last_hidden_state, found.last_hidden_state, atol=1e-5)
    mask[..., :5] = 0
    for place in range(5, 9):
        keys.position.fill_(place)
        mask[..., place] = 0
        one = values[:, place : place + 1]
        found = model(inputs_embeds=one, attention_mask=mask, past_key_values=keys, position_ids=keys.position[None])
        expected = model(inputs_embeds=one, past_key_values=expected.past_key_values, use_cache=True)
        assert torch.allclose(expected.last_hidden_state, found.last_hidden_state, atol=1e-5)
