"""A stand-in for torchaudio's compiled part.

torchaudio's wheel carries a library that is linked against one version of CUDA. Where torch has another version, or
none, `import torchaudio` fails. transformers imports torchaudio wherever it is installed, so diffusers' imports fail
too. Chatterbox and Perth use parts of torchaudio (spectrograms, filter banks) that are plain torch. This module
therefore replaces torchaudio's loader by one that loads nothing, with or without CUDA, so that the code on a GPU is the
code that was tested on a CPU.

`pipelines.runtime.registry` calls `install` before it imports a family; other importers of diffusers call it first.
"""

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

_LOADER = "torchaudio._extension"


def install() -> None:
    """Make `import torchaudio` work; does nothing if it was imported before."""
    if "torchaudio" in sys.modules or _LOADER in sys.modules:
        return
    loader = ModuleType(_LOADER)
    vars(loader).update(
        _IS_TORCHAUDIO_EXT_AVAILABLE=False,
        _IS_ALIGN_AVAILABLE=False,
        _check_cuda_version=lambda: None,
        fail_if_no_align=_unchanged,
    )
    sys.modules[_LOADER] = loader


def _unchanged(function: Callable[..., Any]) -> Callable[..., Any]:
    return function
