"""The model: components that save and load, training's forward pass, and the committed weights."""

from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import DiffusionPipeline, ZImagePipeline

from pipelines.demo.evaluate import paint
from pipelines.demo.export import WEIGHTS
from pipelines.demo.forward import predict
from pipelines.demo.model import SIDE, START, build_pipeline, build_tokenizer
from pipelines.demo.scene import Scene, Thing
from pipelines.demo.verdict import judge_image

trained = pytest.mark.skipif(not (WEIGHTS / "model_index.json").exists(), reason="no weights are committed")


def test_random_components_save_load_and_run_with_a_callback(tmp_path: Path) -> None:
    build_pipeline(1.5).to(torch.float16).save_pretrained(tmp_path)
    assert not [file for file in tmp_path.rglob("*") if file.suffix in (".bin", ".pt", ".pkl", ".model", ".py")]
    pipeline = DiffusionPipeline.from_pretrained(tmp_path, dtype=torch.float32)
    assert isinstance(pipeline, ZImagePipeline)
    assert 32 == pipeline.vae_scale_factor
    assert 1.5 == pipeline.vae.config.scaling_factor
    seen: list[int] = []

    def step_end(pipe: object, step: int, timestep: object, kwargs: dict[str, object]) -> dict[str, object]:
        seen.append(step)
        return kwargs

    image = pipeline(
        prompt="Something it has never heard of, éè!",
        negative_prompt="",
        width=SIDE,
        height=SIDE,
        num_inference_steps=2,
        guidance_scale=1.0,
        generator=torch.Generator("cpu").manual_seed(0),
        callback_on_step_end=step_end,
    ).images[0]
    assert (SIDE, SIDE) == image.size
    assert [0, 1] == seen


def test_the_training_forward_equals_the_transformers_own() -> None:
    torch.manual_seed(0)
    transformer = build_pipeline().transformer.eval()
    latents, times, text = torch.randn(3, 16, 8, 8), torch.rand(3), torch.randn(3, 12, 64)
    lengths = torch.tensor([5, 12, 9])
    with torch.no_grad():
        for weight in transformer.parameters():
            if weight.ndim > 1:
                weight.add_(0.1 * torch.randn_like(weight))
        ours = predict(transformer, latents, times, text, lengths)
        captions = [words[:length] for words, length in zip(text, lengths, strict=True)]
        theirs = transformer(list(latents.unsqueeze(2).unbind(0)), times, captions, return_dict=False)[0]
    assert float((ours - torch.stack(theirs).squeeze(2)).abs().max()) < 1e-4 * float(ours.abs().max())


def test_the_tokenizer_takes_any_text() -> None:
    tokenizer = build_tokenizer()

    def ids(text: str) -> list[int]:
        turned = tokenizer.apply_chat_template(
            [{"role": "user", "content": text}], tokenize=False, add_generation_prompt=True, enable_thinking=True
        )
        return list(tokenizer(turned).input_ids)

    assert ids("A RED circle, on blue.") == ids("a red circle on blue")
    assert [tokenizer.convert_tokens_to_ids(START)] == ids("")
    assert tokenizer.unk_token_id in ids("a mauve circle")
    assert 31 >= len(ids("word " * 1000))


@pytest.fixture(scope="module")
def painter() -> object:
    torch.set_num_threads(1)
    return paint(WEIGHTS, steps=12, guidance=0.0)


@trained
def test_the_committed_model_is_small_and_plain_safetensors() -> None:
    files = [file for file in WEIGHTS.rglob("*") if file.is_file()]
    assert {".json", ".safetensors", ".jinja"} >= {file.suffix for file in files}
    assert 16_000_000 >= sum(file.stat().st_size for file in files)


@pytest.mark.long
@trained
def test_the_committed_model_draws_the_default_prompt(painter: object) -> None:
    scene = Scene("blue", (Thing("red", "circle"),))
    for seed in (0, 1, 2):
        assert judge_image(painter("a red circle on a blue background", seed), scene).whole  # type: ignore[operator]


@pytest.mark.long
@trained
def test_the_committed_model_draws_what_captions_say(painter: object) -> None:
    asked = {
        "a small green star in the top left on a black background": Scene(
            "black", (Thing("green", "star", "small", "top left"),)
        ),
        "On a yellow background, one big purple square.": Scene("yellow", (Thing("purple", "square", "large"),)),
        "white ring, bottom right, red background": Scene("red", (Thing("white", "ring", None, "bottom right"),)),
        "AN ORANGE TRIANGLE AT THE TOP AGAINST BLUE": Scene("blue", (Thing("orange", "triangle", None, "top"),)),
        "the black cross on a white background": Scene("white", (Thing("black", "cross"),)),
        "in the middle, a tiny blue disc on orange": Scene("orange", (Thing("blue", "circle", "small", "center"),)),
        "a red ring to the left of a blue square on white": Scene(
            "white", (Thing("red", "ring"), Thing("blue", "square")), "left of"
        ),
        "a yellow star above a green circle on a purple background": Scene(
            "purple", (Thing("yellow", "star"), Thing("green", "circle")), "above"
        ),
    }
    right = [judge_image(painter(prompt, 7), scene).whole for prompt, scene in asked.items()]  # type: ignore[operator]
    assert sum(right) >= 6


@pytest.mark.long
@trained
def test_the_same_seed_gives_the_same_image(painter: object) -> None:
    first, second = (painter("a blue ring on white", 3) for _ in range(2))  # type: ignore[operator]
    assert np.array_equal(first, second)
