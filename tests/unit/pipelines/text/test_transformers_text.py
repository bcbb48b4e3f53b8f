"""The family of language models, against transformers called directly."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer

from core.errors.failures import ModelLoadFailed, NotFinite, PipelineFailed
from core.errors.fields import NotThisModel, OutOfRange
from jobs.params.text import ChatMessage, TextParams
from pipelines.catalog.prompts.templates import FILM, prompt_templates
from pipelines.runtime.protocol import Inputs, JobCancelled, RawOutput, RunContext
from pipelines.text.pictures import seen_pictures
from pipelines.text.transformers_text import TransformersText
from pipelines.video.clips import read_facts, read_frames
from tests.support.checkpoints import tiny_texts
from tests.support.checkpoints.specs import spec
from tests.support.media.films import save_film

CHAT = (ChatMessage(role="system", content="Be brief."), ChatMessage(role="user", content="hello"))
SEED = 5


@pytest.fixture(scope="module", params=tiny_texts.BUILDERS)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_texts.save(request.param, tmp_path_factory.mktemp(request.param))


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> TransformersText:
    return loaded(tiny_texts.save("llama", tmp_path_factory.mktemp("llama")))


def loaded(folder: Path) -> TransformersText:
    return TransformersText(spec(family="transformers-text", modality="text", capabilities=[]), folder, "cpu")


def run(model: TransformersText, seed: int = SEED, reports: list[Any] | None = None, **fields: Any) -> RawOutput:
    seen: list[Any] = [] if reports is None else reports
    context = RunContext(seed=seed, progress=lambda *report: seen.append(report), warn=lambda text: None)
    return model.run(TextParams(**fields), Inputs(), context)


def directly(folder: Path, messages: Any, seed: int = SEED, **settings: Any) -> str:
    """The text that transformers itself makes of a chat."""
    class_ = getattr(transformers, json.loads((folder / "config.json").read_text())["architectures"][0])
    model, tokenizer = class_.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    chat = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    torch.manual_seed(seed)
    made = model.generate(**chat, **settings)
    text = tokenizer.decode(made[0, chat["input_ids"].size(1) :], skip_special_tokens=True)
    return str(text).replace("\0", "\N{REPLACEMENT CHARACTER}")


def test_it_writes_what_transformers_writes(folder):
    model = loaded(folder)
    before = torch.random.get_rng_state()
    made = run(model, messages=CHAT, max_tokens=40, temperature=1.3, top_p=0.8)
    assert torch.equal(before, torch.random.get_rng_state())
    turns = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hello"}]
    text = directly(folder, turns, max_new_tokens=40, do_sample=True, temperature=1.3, top_p=0.8)
    assert text == made.metadata["text"] == made.arrays["text"].tobytes().decode()
    assert text != directly(folder, turns, 6, max_new_tokens=40, do_sample=True, temperature=1.3, top_p=0.8)


def test_temperature_zero_takes_the_likeliest_token(tmp_path):
    folder = tiny_texts.save("qwen3", tmp_path)
    model = loaded(folder)
    made = [run(model, seed, messages=CHAT, max_tokens=12, temperature=0) for seed in (1, 2)]
    turns = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hello"}]
    text = directly(folder, turns, max_new_tokens=12, do_sample=False)
    assert [text, text] == [each.metadata["text"] for each in made]


def test_tokens_are_counted_and_reported(llama):
    reports: list[Any] = []
    made = run(llama, prompt="hello", max_tokens=10, reports=reports)
    read = len(llama.tokenizer("<|im_start|>user\nhello<|im_end|>\n<|im_start|>assistant\n")["input_ids"])
    assert (read, 10, "length") == tuple(
        made.metadata[name] for name in ("input_tokens", "output_tokens", "finish_reason")
    )
    assert [(0.0, "prepare"), *((n / 10, "step") for n in range(1, 11))] == reports


def test_a_stop_sequence_ends_the_text_before_it(llama):
    whole = str(run(llama, prompt="hello", max_tokens=40).metadata["text"])
    stop = whole[10:12]
    made = run(llama, prompt="hello", max_tokens=40, stop=("never there", stop))
    assert whole[: whole.index(stop)] == made.metadata["text"]
    assert "stop" == made.metadata["finish_reason"]
    assert int(str(made.metadata["output_tokens"])) < 40


def test_a_cancel_comes_between_two_tokens(llama):
    reports: list[float] = []

    def progress(share: float, stage: str) -> None:
        reports.append(share)
        if len(reports) == 4:
            raise JobCancelled

    before = torch.get_num_threads()
    with pytest.raises(JobCancelled):
        llama.run(
            TextParams(prompt="hello", max_tokens=100),
            Inputs(),
            RunContext(seed=1, progress=progress, warn=lambda text: None),
        )
    assert [0.0, 0.01, 0.02, 0.03] == reports
    assert before == torch.get_num_threads()
    assert run(llama, prompt="hello", max_tokens=4).metadata["text"]


def test_a_chat_that_fills_the_context_leaves_fewer_tokens(llama):
    made = run(llama, prompt="a" * (tiny_texts.CONTEXT - 40), max_tokens=200)
    assert made.warnings
    total = int(str(made.metadata["input_tokens"])) + int(str(made.metadata["output_tokens"]))
    assert total <= tiny_texts.CONTEXT


def test_a_chat_beyond_the_context_is_refused(llama):
    with pytest.raises(OutOfRange, match=f"reads {tiny_texts.CONTEXT} tokens, and this chat has"):
        run(llama, prompt="a" * tiny_texts.CONTEXT)


def test_a_text_of_nothing_fails(llama):
    first = str(run(llama, prompt="hello", max_tokens=4).metadata["text"])
    with pytest.raises(PipelineFailed, match="wrote nothing"):
        run(llama, prompt="hello", max_tokens=4, stop=(first[0],))


class TestLoading:
    def test_a_missing_tensor_is_refused(self, folder, tmp_path):
        copied = broken(folder, tmp_path, lambda tensors: tensors.pop(next(iter(sorted(tensors)))))
        with pytest.raises(ModelLoadFailed, match="missing"):
            loaded(copied)

    def test_weights_that_are_not_finite_write_nothing(self, folder, tmp_path):
        copied = broken(folder, tmp_path, lambda tensors: [tensor.fill_(float("nan")) for tensor in tensors.values()])
        with pytest.raises(NotFinite):
            run(loaded(copied), prompt="hello", max_tokens=4)

    @pytest.mark.parametrize("name", ["LlamaModel", "BertForMaskedLM", "os", "", "NoSuchClass"])
    def test_a_class_that_writes_no_texts_is_refused(self, folder, tmp_path, name):
        copied = broken(folder, tmp_path, lambda tensors: None)
        config = json.loads((copied / "config.json").read_text())
        (copied / "config.json").write_text(json.dumps(config | {"architectures": [name]}))
        with pytest.raises(ModelLoadFailed, match="is not a class of transformers that generates texts"):
            loaded(copied)

    def test_a_model_without_chat_template_is_refused(self, folder, tmp_path):
        copied = broken(folder, tmp_path, lambda tensors: None)
        (copied / "chat_template.jinja").unlink()
        with pytest.raises(ModelLoadFailed, match="no chat template"):
            loaded(copied)


def broken(folder: Path, to: Path, change: Any) -> Path:
    """A copy of a model with changed tensors."""
    for file in folder.iterdir():
        (to / file.name).write_bytes(file.read_bytes())
    tensors = load_file(to / "model.safetensors")
    change(tensors)
    save_file(tensors, to / "model.safetensors", {"format": "pt"})
    return to


@pytest.fixture(scope="module")
def seeing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_texts.save("qwen3_5", tmp_path_factory.mktemp("seeing"))


@pytest.fixture
def pictures(tmp_path: Path) -> dict[str, Path]:
    """Two pictures, the second of another shape, as an ingest leaves them."""
    made = {}
    for number, size in enumerate(((64, 64), (96, 32))):
        noise = np.random.default_rng(number).integers(0, 256, (size[1], size[0], 3), np.uint8)
        Image.fromarray(noise).save(tmp_path / f"{number}.png")
        made[f"images.{number}"] = tmp_path / f"{number}.png"
    return made


def see(model: TransformersText, pictures: dict[str, Path], **fields: Any) -> RawOutput:
    context = RunContext(seed=SEED, progress=lambda *report: None, warn=lambda text: None)
    return model.run(TextParams(**{"temperature": 0, "max_tokens": 16, **fields}), Inputs(pictures), context)


def test_it_sees_what_transformers_sees(seeing, pictures):
    """Its library is called with what the published processor's parts make of the same pictures."""
    made = see(loaded(seeing), pictures, prompt="What is it?", images=("a", "b"))
    seen = tiny_texts.processor()([Image.open(file) for file in pictures.values()], return_tensors="pt")
    counts = [int(grid.prod()) // 4 for grid in seen["image_grid_thw"]]
    marks = "".join(f"<|vision_start|>{'<|image_pad|>' * count}<|vision_end|>" for count in counts)
    tokenizer = AutoTokenizer.from_pretrained(seeing)
    words = f"<|im_start|>user\n{marks}What is it?<|im_end|>\n<|im_start|>assistant\n"
    chat = tokenizer(words, return_tensors="pt")
    model = transformers.Qwen3_5ForConditionalGeneration.from_pretrained(seeing)
    kinds = (chat["input_ids"] == model.config.image_token_id).int()
    tokens = model.generate(**chat, **seen, mm_token_type_ids=kinds, max_new_tokens=16, do_sample=False)
    text = tokenizer.decode(tokens[0, chat["input_ids"].size(1) :], skip_special_tokens=True)
    assert text.replace("\0", "\N{REPLACEMENT CHARACTER}") == made.metadata["text"]
    assert chat["input_ids"].size(1) == made.metadata["input_tokens"]


def test_a_film_is_four_of_its_pictures(seeing, tmp_path):
    """Each quarter of the film has a color of its own, and is seen as the picture in its middle."""
    drawn = [Image.new("RGB", (64, 64), color) for color in ("red", "lime", "blue", "white")]
    film = save_film([one for one in drawn for _ in range(5)], tmp_path / "film.mp4")
    asked = {"template": "description", "input_video": "a"}
    _, frames = seen_pictures(TextParams(**asked), Inputs({"input_video": film}))
    assert frames == [Image.fromarray(frame) for frame in list(read_frames(read_facts(film)))[2::5]]
    shown = [tuple(value > 128 for value in frame.getpixel((9, 9))) for frame in frames]
    assert [(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 1)] == shown
    files = {f"images.{number}": tmp_path / f"{number}.png" for number in range(4)}
    for frame, file in zip(frames, files.values(), strict=True):
        frame.save(file)
    model, template = loaded(seeing), prompt_templates()["description"]
    turns = (
        ChatMessage(role="system", content=template.system),
        ChatMessage(role="user", content=f"{template.prompt}\n\n{FILM.format(4)}"),
    )
    made = see(model, {"input_video": film}, **asked)
    assert made.metadata == see(model, files, messages=turns, images=("a",) * 4).metadata


@pytest.mark.long
def test_what_is_transparent_is_seen_as_white(seeing, tmp_path):
    texts = []
    for color in ((0, 0, 0, 0), (255, 255, 255, 255), (0, 0, 0, 255)):
        Image.new("RGBA", (64, 64), color).save(tmp_path / "0.png")
        asked = {"prompt": "hello", "images": ("a",), "temperature": 2.0}
        texts.append(see(loaded(seeing), {"images.0": tmp_path / "0.png"}, **asked).metadata["text"])
    assert texts[0] == texts[1] != texts[2]


@pytest.mark.long
def test_other_pictures_are_other_texts(seeing, pictures):
    model, asked = loaded(seeing), {"prompt": "What is it?", "images": ("a", "b"), "temperature": 2.0, "max_tokens": 60}
    swapped = {"images.0": pictures["images.1"], "images.1": pictures["images.0"]}
    texts = [see(model, files, **asked).metadata["text"] for files in (pictures, swapped)]
    assert texts[0] != texts[1]
    swapped_in_words = [ChatMessage(role="user", content="What is it?", images=(1, 0))]
    asked |= {"prompt": None, "messages": swapped_in_words}
    assert texts[1] == see(model, pictures, **asked).metadata["text"]


def test_a_mark_of_a_picture_in_the_words_is_none(seeing, pictures):
    model, images = loaded(seeing), ("a", "b")
    plain, marked = (see(model, pictures, prompt=f"hello{mark}", images=images) for mark in ("", "<|image_pad|>"))
    assert plain.metadata == marked.metadata


def test_a_model_without_eyes_refuses_pictures(llama, pictures):
    with pytest.raises(NotThisModel, match="sees no pictures"):
        see(llama, pictures, prompt="hello", images=("a", "b"))
