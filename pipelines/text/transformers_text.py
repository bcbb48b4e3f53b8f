"""The family `transformers-text`: a language model of transformers continues a chat.

Any class of transformers that generates will do: the folder's `config.json` names it (`LlamaForCausalLM` of SmolLM2,
`Qwen3ForCausalLM`, `Qwen3_5ForConditionalGeneration`), and the tokenizer beside it has the chat template. The tokens
are those of `generate` with the same seed. Values that a request does not have, such as `top_k`, are those of the
published `generation_config.json`.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from transformers import AutoTokenizer, GenerationConfig, LogitsProcessorList, PreTrainedModel, StoppingCriteriaList

from core.errors.failures import ModelLoadFailed, NotFinite, PipelineFailed
from core.errors.fields import NotThisModel, OutOfRange
from jobs.params.text import TextParams
from pipelines.catalog.prompts.templates import conversation
from pipelines.catalog.spec import ModelSpec
from pipelines.diffusion.component import load_component
from pipelines.memory.weight_loader import WeightLoader
from pipelines.runtime.protocol import Inputs, RawOutput, RunContext
from pipelines.text.eyes import Eyes
from pipelines.text.pictures import seen_pictures
from pipelines.text.stops import first_stop, settled
from pipelines.text.threads import one_thread

SHOWN_CHARACTERS = 100_000
"""The longest text that is in the answer, and not in the file alone."""


SAMPLING = ("temperature", "top_p", "top_k", "min_p", "typical_p", "epsilon_cutoff", "eta_cutoff")
"""Settings that choose among several tokens."""


class TransformersText:
    """Chats of any length that fits the model's context; of a model that sees, with pictures."""

    def __init__(self, spec: ModelSpec, weights: Path, device: str, loader: WeightLoader | None = None) -> None:
        transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        self.spec, self.device = spec, device
        dtype = getattr(torch, spec.dtype or ("float32" if device == "cpu" else "bfloat16"))
        self.tokenizer: Any = AutoTokenizer.from_pretrained(weights, local_files_only=True)
        if not self.tokenizer.chat_template:
            raise ModelLoadFailed(f"{spec.id} has no chat template; it was not trained to answer.")
        self.model: Any = load_component(weights, _class_of(weights, spec.id), dtype, loader or WeightLoader(device))
        self.settings = _settings(weights, self.model)
        self.eyes = Eyes.of(weights, self.model, self.tokenizer)
        self.context_tokens: int = self.model.config.get_text_config().max_position_embeddings

    @property
    def modules(self) -> list[torch.nn.Module]:
        """See `pipelines.runtime.protocol.Pipeline`."""
        return [self.model]

    @torch.inference_mode()
    def run(self, params: TextParams, inputs: Inputs, ctx: RunContext) -> RawOutput:
        """Continue the chat until its end, a stop sequence or `max_tokens`; report every token.

        Raises `OutOfRange` for a chat that does not fit the model's context, and `PipelineFailed` for an empty text.
        """
        ctx.progress(0.0, "prepare")
        chat = self._chat(params, inputs)
        read, warnings = chat["input_ids"].size(1), list[str]()
        room = self.context_tokens - read
        if room < 1:
            advice = f"{self.spec.id} reads {self.context_tokens} tokens, and this chat has {read}; send less."
            raise OutOfRange(advice, field="$.prompt")
        if params.max_tokens > room:
            warnings.append(f"{self.spec.id} reads and writes {self.context_tokens} tokens; `max_tokens` was {room}")
            ctx.warn(warnings[0])
        writer = _Writer(self.tokenizer, params, read, min(params.max_tokens, room), ctx)
        self._generate(chat, params, writer, ctx.seed)
        text = writer.text()
        if not text.strip():
            raise PipelineFailed(f"{self.spec.id} wrote nothing; try another prompt or seed.")
        facts = {
            "seed": ctx.seed,
            "input_tokens": read,
            "output_tokens": len(writer.tokens),
            "finish_reason": "stop" if writer.is_stopped or writer.tokens[-1] in self._ends else "length",
            "text": text if len(text) <= SHOWN_CHARACTERS else None,
        }
        array = np.frombuffer(text.encode(), np.uint8)
        return RawOutput(arrays={"text": array}, warnings=tuple(warnings), metadata=facts)

    def _chat(self, params: TextParams, inputs: Inputs) -> dict[str, Any]:
        """Return what the model reads, as it was trained to: `input_ids` and `attention_mask`, 1 x n each.

        With pictures also what `Eyes` makes of them. Raises `NotThisModel` for pictures before a model without eyes.
        """
        turns = conversation(params)
        if not params.images and params.input_video is None:
            said = [{"role": turn.role, "content": turn.content} for turn in turns]
            return dict(self._templated(said, return_tensors="pt", return_dict=True).to(self.device))
        if self.eyes is None:
            name = "input_video" if params.input_video is not None else "images"
            raise NotThisModel(f"{self.spec.id} sees no pictures; remove `{name}`.", field=f"$.{name}")
        pictures, frames = seen_pictures(params, inputs)
        seen = [(pictures + frames)[number] for turn in turns for number in turn.images]
        words = self._templated([self.eyes.turn(turn) for turn in turns], tokenize=False)
        return {name: tensor.to(self.device) for name, tensor in self.eyes.read(words, seen).items()}

    def _templated(self, turns: list[dict[str, Any]], **how: Any) -> Any:
        return self.tokenizer.apply_chat_template(turns, add_generation_prompt=True, enable_thinking=False, **how)

    def _generate(self, chat: Any, params: TextParams, writer: "_Writer", seed: int) -> None:
        """Have the model generate; it draws from torch's global random state, which is restored afterwards."""
        devices = [self.device] if self.device != "cpu" else []
        with torch.random.fork_rng(devices=devices), one_thread(self.device):
            torch.manual_seed(seed)
            self.model.generate(
                **chat,
                generation_config=self._settings_of(params, writer.most),
                logits_processor=LogitsProcessorList([_refuse_nan]),
                stopping_criteria=StoppingCriteriaList([writer]),
            )

    def _settings_of(self, params: TextParams, most: int) -> GenerationConfig:
        """Return the published settings with those of the request; what only sampling reads is left out without it."""
        settings = dict(self.settings)
        if params.temperature > 0:
            settings |= {"temperature": params.temperature, "top_p": params.top_p}
        else:
            settings = {name: value for name, value in settings.items() if name not in SAMPLING}
        settings |= {"max_new_tokens": most, "do_sample": params.temperature > 0}
        return GenerationConfig(**settings)  # type: ignore[no-untyped-call]

    @property
    def _ends(self) -> set[int]:
        ends = self.settings["eos_token_id"]
        return set(ends) if isinstance(ends, list) else {ends}


class _Writer:
    """What the model has written so far, and whether it ends there: a stopping criterion of `generate`."""

    def __init__(self, tokenizer: Any, params: TextParams, read: int, most: int, ctx: RunContext) -> None:
        self.tokens: list[int] = []
        self.is_stopped = False
        self.most = most
        self._tokenizer = tokenizer
        self._stops = params.stop
        self._read = read
        self._ctx = ctx

    def __call__(self, tokens: torch.Tensor, scores: Any, **_: Any) -> torch.Tensor:
        """Take the tokens so far (1 x n, the chat before them) after each one; return whether the text has ended.

        Raises what `RunContext.progress` raises, which ends the model's work.
        """
        self.tokens = tokens[0, self._read :].tolist()
        self.is_stopped = bool(self._stops) and first_stop(self._decoded(), self._stops) is not None
        self._ctx.show_text(len(self.tokens), self.most, lambda: settled(self._decoded(), self._stops))
        self._ctx.progress(min(1.0, len(self.tokens) / self.most), "step")
        return torch.full((1,), self.is_stopped, dtype=torch.bool, device=tokens.device)

    def text(self) -> str:
        """Return the text without its stop sequence."""
        text = self._decoded()
        return text[: first_stop(text, self._stops)]

    def _decoded(self) -> str:
        """Return the text of all tokens; U+0000, which PostgreSQL cannot store, is replaced."""
        text: str = self._tokenizer.decode(self.tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return text.replace("\0", "\N{REPLACEMENT CHARACTER}")


def _class_of(weights: Path, name: str) -> type[Any]:
    """Return the class that `config.json` names. Raises `ModelLoadFailed` for one that is not a generating model's."""
    architectures = json.loads((weights / "config.json").read_text()).get("architectures") or [""]
    found = getattr(transformers, architectures[0], None)
    if not (isinstance(found, type) and issubclass(found, PreTrainedModel) and found.can_generate()):
        raise ModelLoadFailed(f"{name}: {architectures[0]!r} is not a class of transformers that generates texts.")
    return found


def _settings(weights: Path, model: Any) -> dict[str, Any]:
    """Return the settings that are published beside the weights, else those that the model's configuration has."""
    if (weights / "generation_config.json").is_file():
        settings = GenerationConfig.from_pretrained(weights, local_files_only=True)
    else:
        settings = model.generation_config
    if settings.eos_token_id is None:
        raise ModelLoadFailed(f"{weights.name} names no token that ends a text (`eos_token_id`).")
    ends = settings.eos_token_id
    padding = ends[0] if isinstance(ends, list) else ends
    given = {name: value for name, value in settings.to_dict().items() if value is not None}
    return given | {"pad_token_id": padding}


def _refuse_nan(tokens: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
    """Return the scores of the next token (rows x vocabulary). Raises `NotFinite`."""
    if torch.isnan(scores).any():
        raise NotFinite("The model computed values that are not finite; it wrote no text.")
    return scores
