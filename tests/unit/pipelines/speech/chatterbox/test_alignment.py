"""The watch over the spoken word beside Chatterbox's own analyzer, on attention that is made up."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from pipelines.speech.chatterbox.alignment import AlignmentWatch, prepare_watched_layers

BEGIN, STOP, VOCABULARY, LENGTH = 7, 5, 12, 128


def network() -> Any:
    """A network without anything but the layers that are watched."""
    layers = [SimpleNamespace(self_attn=nn.Identity()) for _ in range(14)]
    for layer in layers:
        layer.self_attn.config = SimpleNamespace(_attn_implementation="sdpa")
    return SimpleNamespace(layers=layers, config=SimpleNamespace(output_attentions=False, _attn_implementation="sdpa"))


def places(kind: str, text: int, steps: int) -> list[int]:
    """The word that is attended to in each step."""
    forward = [min(step, text - 1) for step in range(steps)]
    match kind:
        case "lingers":
            return forward
        case "starts over":
            return [step % text for step in range(steps)]
        case "jumps":
            return [0, *([text - 1] * (steps - 1))]
        case _:
            return torch.randint(0, text, (steps,), generator=torch.Generator().manual_seed(len(kind))).tolist()


def rows(kind: str, text: int, steps: int) -> list[torch.Tensor]:
    """Attention of three heads (3 x positions so far) in each step, most of it at one word."""
    random = torch.Generator().manual_seed(text)
    found = []
    for step, place in enumerate(places(kind, text, steps)):
        attention = torch.rand(3, BEGIN + text + 2 + step, generator=random) / 10
        attention[:, BEGIN + place] += 0.8
        found.append(attention)
    return found


@pytest.mark.parametrize("kind", ["lingers", "starts over", "jumps", "any", "somewhere"])
@pytest.mark.parametrize("text", [6, 9, 30])
def test_it_does_as_the_authors_analyzer(kind: str, text: int) -> None:
    from chatterbox.models.t3.inference.alignment_stream_analyzer import AlignmentStreamAnalyzer

    theirs = AlignmentStreamAnalyzer(network(), None, text_tokens_slice=(BEGIN, BEGIN + text), eos_idx=STOP)
    ours = AlignmentWatch(network(), LENGTH, STOP, "cpu")
    ours.begin(BEGIN, BEGIN + text)
    random = torch.Generator().manual_seed(1)
    tokens, found = [VOCABULARY - 1], set[str]()
    for step, attention in enumerate(rows(kind, text, 60)):
        logits = torch.randn(1, VOCABULARY, generator=random)
        # theirs gets queries x keys: in the first step those of the text and of two start tokens
        queries = BEGIN + text + 2 if step == 0 else 1
        theirs.last_aligned_attns = [head.expand(queries, -1) for head in attention]
        ours._seen = list(attention)
        last, before = (torch.tensor([[token]]) for token in (tokens[-1], tokens[-2:][0]))

        expected = theirs.step(logits.clone(), next_token=tokens[-1])
        assert torch.equal(expected, ours.adjust(logits, last, before))
        forced, early = expected[0, STOP] == 2**15, expected[0, STOP] == -(2**15)
        found.add("forced" if forced else "early" if early else "free")
        tokens.append(int(torch.randint(0, 4, (1,), generator=random)))
    assert "early" in found
    assert "forced" in found


def test_a_text_of_few_tokens_is_not_held_up() -> None:
    watch = AlignmentWatch(network(), LENGTH, STOP, "cpu")
    watch.begin(BEGIN, BEGIN + 4)
    logits, token = torch.zeros(1, VOCABULARY), torch.tensor([[1]])
    for attention in rows("lingers", 4, 6):
        watch._seen = list(attention)
        logits = watch.adjust(torch.zeros(1, VOCABULARY), token, token + 1)
    assert torch.equal(torch.zeros(1, VOCABULARY), logits)


def test_a_new_text_begins_anew() -> None:
    watch, token = AlignmentWatch(network(), LENGTH, STOP, "cpu"), torch.tensor([[1]])
    found = []
    for _ in range(2):
        watch.begin(BEGIN, BEGIN + 9)
        for attention in rows("lingers", 9, 30):
            watch._seen = list(attention)
            found.append(watch.adjust(torch.zeros(1, VOCABULARY), token, token + 1))
    assert torch.equal(torch.cat(found[:30]), torch.cat(found[30:]))
    assert not torch.equal(found[0], found[29])


def test_only_the_watched_layers_return_attention() -> None:
    tfmr = network()
    prepare_watched_layers(tfmr)
    found = [layer.self_attn.config._attn_implementation for layer in tfmr.layers]
    assert {9, 12, 13} == {number for number, name in enumerate(found) if name == "eager"}
    assert "sdpa" == tfmr.config._attn_implementation


def test_the_network_is_followed_only_within_the_block() -> None:
    tfmr = network()
    watch = AlignmentWatch(tfmr, LENGTH, STOP, "cpu")
    with watch.attached():
        assert 3 == sum(len(layer.self_attn._forward_hooks) for layer in tfmr.layers)
    assert 0 == sum(len(layer.self_attn._forward_hooks) for layer in tfmr.layers)
