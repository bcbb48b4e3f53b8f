"""The four layouts in which Chatterbox is published: their files and sampling settings. No torch."""

from pathlib import Path

import msgspec

from core.errors.failures import ModelLoadFailed


class Layout(msgspec.Struct, frozen=True, kw_only=True):
    """Files within the weights folder (`t3` as a pattern), limits of a reference voice, and sampling settings.

    A file that was published as a pickle lies there as safetensors of the same name (`atelier weights fetch`). A
    reference voice has at least `min_seconds`; its first `prompt_seconds` precede the sampled tokens.
    `repetition_penalty`, `min_p`, `top_p` and `top_k` (0: all) are the values of the authors' own code.
    """

    name: str
    t3: str
    s3gen: str
    tokenizer: str
    min_seconds: float
    prompt_seconds: int
    repetition_penalty: float
    min_p: float
    top_p: float
    top_k: int = 0
    closing_silence: int = 0
    """Tokens of silence after the last one."""
    gpt: str | None = None
    """The GPT-2 that T3 is made of, by the name of its sizes; `None`: Llama."""

    @property
    def is_turbo(self) -> bool:
        """Whether it is Turbo, or the smaller Nano: GPT-2 instead of Llama, no guidance, no exaggeration."""
        return self.gpt is not None


ENGLISH = Layout(
    name="english",
    t3="t3_cfg.safetensors",
    s3gen="s3gen.safetensors",
    tokenizer="tokenizer.json",
    min_seconds=1.0,
    prompt_seconds=6,
    repetition_penalty=1.2,
    min_p=0.05,
    top_p=1.0,
)
MULTILINGUAL = Layout(
    name="multilingual",
    t3="t3_mtl23ls_v*.safetensors",
    s3gen="s3gen.safetensors",
    tokenizer="grapheme_mtl_merged_expanded_v1.json",
    min_seconds=1.0,
    prompt_seconds=6,
    repetition_penalty=2.0,
    min_p=0.05,
    top_p=1.0,
)
TURBO = Layout(
    name="turbo",
    t3="t3_turbo_v1.safetensors",
    s3gen="s3gen_meanflow.safetensors",
    tokenizer="tokenizer_config.json",
    min_seconds=5.0,
    prompt_seconds=15,
    repetition_penalty=1.2,
    min_p=0.0,
    top_p=0.95,
    top_k=1000,
    closing_silence=3,
    gpt="GPT2_medium",
)
NANO = msgspec.structs.replace(TURBO, name="nano", t3="t3_nano_v1.safetensors", gpt="GPT2_small")
LAYOUTS = (TURBO, NANO, MULTILINGUAL, ENGLISH)

SPEAKER = "ve.safetensors"
CONDITIONALS = "conds.safetensors"
"""The built-in voice, which may be missing."""


def layout_of(folder: Path) -> tuple[Layout, Path]:
    """Return the layout of a folder and its T3 file. Raises `ModelLoadFailed`, which names what is missing."""
    for layout in LAYOUTS:
        found = sorted(folder.glob(layout.t3))
        if found:
            missing = [name for name in (SPEAKER, layout.s3gen, layout.tokenizer) if not (folder / name).is_file()]
            if missing:
                raise ModelLoadFailed(f"This Chatterbox ({layout.name}) lacks {', '.join(missing)}.")
            return layout, found[-1]
    raise ModelLoadFailed(f"No Chatterbox: there is none of {', '.join(layout.t3 for layout in LAYOUTS)}.")
