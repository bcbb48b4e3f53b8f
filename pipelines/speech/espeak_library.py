"""espeak-ng through ctypes: the library and its voices as the wheel `espeakng-loader` carries them.

https://github.com/espeak-ng/espeak-ng/blob/master/src/include/espeak-ng/speak_lib.h is the interface. The library is
one per process and says one thing at a time.
"""

import _ctypes
import ctypes
from collections.abc import Iterator
from functools import cache

import espeakng_loader
import msgspec
import numpy as np
from numpy.typing import NDArray

from core.errors import ModelLoadFailed, PipelineFailed
from pipelines.speech.samples import Samples

_SYNCHRONOUS = 2
_DO_NOT_EXIT = 0x8000
"""Missing data are an error to return, not a reason to end the process."""
_UTF8, _END_PAUSE = 1, 0x1000
_RANGE = 4
"""The parameter: how far the pitch moves, 0 not at all, 50 as ever, 100 most."""


_MUTE = {"gmq/fo", "trk/kaa", "art/xex"}
"""The wheel lacks their dictionaries, and they make as much silence as the words would take."""


class LibraryVoice(msgspec.Struct, frozen=True):
    """`identifier` is what the library calls it; `tags` its languages in lower case, with how far each is from home."""

    name: str
    identifier: str
    tags: tuple[tuple[str, int], ...]


class _Voice(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char_p),
        ("languages", ctypes.c_void_p),
        ("identifier", ctypes.c_char_p),
        ("gender", ctypes.c_ubyte),
        ("age", ctypes.c_ubyte),
        ("variant", ctypes.c_ubyte),
        ("xx1", ctypes.c_ubyte),
        ("score", ctypes.c_int),
        ("spare", ctypes.c_void_p),
    )


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


class Espeak:
    """The library, from opening to `close`; also a context. `rate` is how many samples a second it makes (22,050).

    It remembers what it said: the same words sound a little different the second time. So it is opened anew, in 10 ms,
    by everybody who wants the same sound for the same words.
    """

    def __init__(self) -> None:
        data = espeakng_loader.get_data_path()
        self._library = ctypes.CDLL(espeakng_loader.get_library_path())
        self.rate = int(self._library.espeak_Initialize(_SYNCHRONOUS, 0, data.encode(), _DO_NOT_EXIT))
        if self.rate <= 0:
            raise ModelLoadFailed(f"espeak-ng can not read its voices in {data}.")
        self._received: list[NDArray[np.int16]] = []
        self._callback = _Callback(self._receive)
        self._library.espeak_SetSynthCallback(self._callback)

    def __enter__(self) -> "Espeak":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Unload the library, and what it remembers with it."""
        self._library.espeak_Terminate()
        _ctypes.dlclose(self._library._handle)

    def synthesize(self, text: str, voice: str, pitch_range: int = 50) -> Samples:
        """The samples of `text`, in -1 to 1, spoken by the voice of that identifier. Raises `PipelineFailed`."""
        # A voice that it does not find leaves the last one in place, and only the return code tells.
        if self._library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise PipelineFailed(f"espeak-ng has no voice {voice!r}.")
        self._library.espeak_SetParameter(_RANGE, pitch_range, 0)
        encoded = text.encode() + b"\0"
        self._received = []
        code = self._library.espeak_Synth(
            encoded, ctypes.c_size_t(len(encoded)), 0, 0, 0, _UTF8 | _END_PAUSE, None, None
        )
        if code != 0:
            raise PipelineFailed(f"espeak-ng could not speak (code {code}).")
        pcm = np.concatenate([np.zeros(0, np.int16), *self._received])
        return pcm.astype(np.float32) / np.float32(32768)

    def voices(self) -> Iterator[LibraryVoice]:
        """Every voice that can speak."""
        self._library.espeak_ListVoices.restype = ctypes.POINTER(ctypes.POINTER(_Voice))
        found = self._library.espeak_ListVoices(None)
        number = 0
        while found[number]:
            voice = found[number].contents
            identifier = voice.identifier.decode()
            if identifier not in _MUTE:
                yield LibraryVoice(voice.name.decode().strip(), identifier, tuple(_tags(voice.languages)))
            number += 1

    def _receive(self, samples: "ctypes._Pointer[ctypes.c_short]", count: int, _events: object) -> int:
        if count > 0:  # the last call brings no samples
            self._received.append(np.ctypeslib.as_array(samples, (count,)).copy())
        return 0


def _tags(address: int) -> Iterator[tuple[str, int]]:
    """A list in memory: a byte for the distance, the tag, a zero; and a zero in place of the distance at its end."""
    while (distance := ctypes.c_ubyte.from_address(address).value) != 0:
        tag = ctypes.string_at(address + 1)
        yield tag.decode().lower(), distance
        address += len(tag) + 2


@cache
def all_voices() -> tuple[LibraryVoice, ...]:
    """Those of the wheel. Raises `ModelLoadFailed`."""
    with Espeak() as library:
        return tuple(library.voices())
