"""torchaudio without its compiled part.

Its wheel carries a library that is linked against one version of CUDA: where torch has another one, or none,
`import torchaudio` fails, and since transformers imports torchaudio wherever it is installed, diffusers' imports fail
too. What Chatterbox and Perth call of torchaudio (spectrograms, filter banks) is plain torch. So its loader is replaced
by one that has nothing to load, with or without CUDA, so that what runs on a GPU is what was tested on a CPU.

`pipelines.runtime.registry` calls `install` before it imports a family; what imports diffusers in another way calls it
first.
"""

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

_LOADER = "torchaudio._extension"


def install() -> None:
    """Let `import torchaudio` work; does nothing where it was imported already. Costs nothing, and imports nothing."""
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
