"""The cache of prompts, with a text encoder that counts."""

from typing import Any

import pytest
import torch

from pipelines.diffusion.prompt_cache import PromptCache

CPU = torch.device("cpu")


class Reader:
    """A pipeline whose `encode_prompt` makes a tensor of eight bytes for each letter, and a list beside it."""

    def __init__(self) -> None:
        self.calls: list[Any] = []
        self.prompt_template = "{}"

    def encode_prompt(self, prompt: Any, device: torch.device = CPU, image: Any = None, negative: Any = None) -> Any:
        self.calls.append(prompt)
        letters = [float(ord(letter)) for letter in "".join(prompt)]
        return torch.tensor(letters, dtype=torch.float64, device=device), [torch.tensor([]), None]


class Sibling(Reader):
    """Another class that reads in the same way."""


class Other(Reader):
    """A class that reads in another way."""

    def encode_prompt(self, prompt: Any) -> Any:
        return super().encode_prompt(prompt)


class Uncommon(Reader):
    """One that answers with more than tensors."""

    def encode_prompt(self, prompt: Any) -> Any:
        self.calls.append(prompt)
        return {"values": torch.tensor([1.0])}


def attached(cache: PromptCache, pipe: Reader) -> Reader:
    cache.attach(pipe)
    return pipe


def test_a_prompt_is_read_once() -> None:
    pipe = attached(PromptCache(), Reader())

    first, second = pipe.encode_prompt("ab"), pipe.encode_prompt(prompt="ab", device=CPU)
    third = pipe.encode_prompt(device=CPU, prompt="ab")

    assert ["ab", "ab"] == pipe.calls
    assert [97.0, 98.0] == first[0].tolist() == second[0].tolist() == third[0].tolist()
    assert type(third) is tuple
    assert type(third[1]) is list
    assert third[1][1] is None


def test_callers_may_change_what_they_get() -> None:
    pipe = attached(PromptCache(), Reader())
    for _ in range(3):
        found = pipe.encode_prompt("ab")[0]
        assert [97.0, 98.0] == found.tolist()
        found.zero_()

    assert ["ab"] == pipe.calls


@pytest.mark.parametrize(
    "other",
    [
        {"prompt": "ac"},
        {"prompt": ["ab"]},
        {"prompt": ["a", "b"]},
        {"prompt": "ab", "negative": "c"},
        {"prompt": "ab", "device": torch.device("cpu:0")},
    ],
)
def test_anything_else_is_another_prompt(other: dict[str, Any]) -> None:
    pipe = attached(PromptCache(), Reader())
    pipe.encode_prompt(prompt="ab")
    pipe.encode_prompt(**other)

    assert ["ab", other["prompt"]] == pipe.calls


def test_with_another_lora_it_is_read_again() -> None:
    cache = PromptCache()
    pipe = attached(cache, Reader())
    for cache.loras in ((), (("quick", 1.0),), (), (("quick", 1.0),)):
        pipe.encode_prompt("ab")

    assert 2 == len(pipe.calls)


@pytest.mark.parametrize("thing", [torch.tensor([1.0]), object(), [object()]])
def test_images_and_tensors_are_passed_on(thing: Any) -> None:
    cache = PromptCache()
    pipe = attached(cache, Reader())
    for _ in range(2):
        pipe.encode_prompt("ab", image=thing)

    assert 2 == len(pipe.calls)
    assert 0 == cache.bytes


def test_an_answer_that_cannot_be_copied_is_not_kept() -> None:
    pipe = attached(PromptCache(), Uncommon())

    assert pipe.encode_prompt("ab").keys() == pipe.encode_prompt("ab").keys() == {"values"}
    assert 2 == len(pipe.calls)


def test_siblings_that_read_alike_share_and_others_do_not() -> None:
    cache = PromptCache()
    pipes = [attached(cache, class_()) for class_ in (Reader, Sibling, Other)]
    second_reader = attached(cache, Reader())
    for pipe in pipes:
        pipe.encode_prompt("ab")

    assert [1, 0, 1] == [len(pipe.calls) for pipe in pipes]
    other_template = Reader()
    other_template.prompt_template = "a picture of {}"
    attached(cache, other_template).encode_prompt("ab")
    second_reader.encode_prompt("ab")
    assert (1, 0) == (len(other_template.calls), len(second_reader.calls))


def test_the_least_recently_used_leaves_at_the_cap() -> None:
    cache = PromptCache(capacity=40)
    pipe = attached(cache, Reader())
    for prompt in ("aa", "bb", "aa", "cc", "aa", "bb"):
        pipe.encode_prompt(prompt)
        assert cache.bytes <= 40

    assert ["aa", "bb", "cc", "bb"] == pipe.calls
    pipe.encode_prompt("longer than the cap")
    assert 0 == cache.bytes


def test_a_pipeline_without_prompts_is_left_alone() -> None:
    pipe = object()
    PromptCache().attach(pipe)

    assert not hasattr(pipe, "encode_prompt")
