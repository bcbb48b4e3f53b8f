"""espeak-ng through ctypes: the library and its voices, from the wheel `espeakng-loader`.

The interface is https://github.com/espeak-ng/espeak-ng/blob/master/src/include/espeak-ng/speak_lib.h. A process has one
library, which speaks one text at a time.
"""

import _ctypes
import ctypes
from collections.abc import Iterator
from functools import cache

import espeakng_loader
import msgspec
import numpy as np
from numpy.typing import NDArray

from core.errors.failures import ModelLoadFailed, PipelineFailed
from pipelines.speech.samples import Samples

_SYNCHRONOUS = 2
_DO_NOT_EXIT = 0x8000
"""Missing data is an error to return, not a reason to end the process."""
_UTF8, _END_PAUSE = 1, 0x1000
_IPA = 0x02
TIE = "^"
"""Stands in phonemes between letters that are one sound."""
_TIED = ord(TIE) << 8 | 0x80
_RANGE = 4
"""The parameter of the pitch range: 0 is flat, 50 normal, 100 the widest."""


_MUTE = {"gmq/fo", "trk/kaa", "art/xex"}
"""Voices whose dictionaries the wheel lacks; they make silence of the length of the text."""


class LibraryVoice(msgspec.Struct, frozen=True):
    """A voice of the library.

    `identifier` is the library's name for it. `tags` are its languages in lower case, each with the voice's distance
    from that language.
    """

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
    """The open library; also a context manager. `rate` is its samples a second (22,050).

    The library keeps state: the same text sounds a little different the second time. A caller that needs the same audio
    for the same text opens it anew, which takes 10 ms. There is one of it in a process: two that are open at once share
    its state, and the end of one is the end of both.
    """

    def __init__(self) -> None:
        data = espeakng_loader.get_data_path()
        self._library = ctypes.CDLL(espeakng_loader.get_library_path())
        self.rate = int(self._library.espeak_Initialize(_SYNCHRONOUS, 0, data.encode(), _DO_NOT_EXIT))
        if self.rate <= 0:
            raise ModelLoadFailed(f"espeak-ng cannot read its voices in {data}.")
        self._received: list[NDArray[np.int16]] = []
        self._callback = _Callback(self._receive)
        self._library.espeak_SetSynthCallback(self._callback)

    def __enter__(self) -> "Espeak":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Unload the library with its state."""
        self._library.espeak_Terminate()
        _ctypes.dlclose(self._library._handle)

    def synthesize(self, text: str, voice: str, pitch_range: int = 50) -> Samples:
        """Return the samples of `text`, in -1 to 1, in the voice with that identifier. Raises `PipelineFailed`."""
        self._choose(voice)
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

    def phonemes(self, text: str, voice: str) -> Iterator[tuple[str, str]]:
        """Yield the clauses of `text` as the library cuts them, and their phonemes in the IPA, with `TIE`.

        It looks one letter further than a clause goes. Raises `PipelineFailed`.
        """
        self._choose(voice)
        translate = self._library.espeak_TextToPhonemes
        translate.restype = ctypes.c_char_p
        encoded = text.encode()
        buffer = ctypes.create_string_buffer(encoded)
        start, place = ctypes.addressof(buffer), ctypes.c_void_p(ctypes.addressof(buffer))
        while place.value:
            before = place.value - start
            found = translate(ctypes.byref(place), _UTF8, _IPA | _TIED) or b""
            end = place.value - start if place.value else len(encoded)
            yield encoded[before:end].decode(errors="replace"), found.decode()

    def voices(self) -> Iterator[LibraryVoice]:
        """Yield every voice that can speak."""
        self._library.espeak_ListVoices.restype = ctypes.POINTER(ctypes.POINTER(_Voice))
        found = self._library.espeak_ListVoices(None)
        number = 0
        while found[number]:
            voice = found[number].contents
            identifier = voice.identifier.decode()
            if identifier not in _MUTE:
                yield LibraryVoice(voice.name.decode().strip(), identifier, tuple(_tags(voice.languages)))
            number += 1

    def _choose(self, voice: str) -> None:
        # An unknown voice leaves the last one in place; only the return code shows it.
        if self._library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise PipelineFailed(f"espeak-ng has no voice {voice!r}.")

    def _receive(self, samples: "ctypes._Pointer[ctypes.c_short]", count: int, _events: object) -> int:
        if count > 0:  # the last call brings no samples
            self._received.append(np.ctypeslib.as_array(samples, (count,)).copy())
        return 0


def _tags(address: int) -> Iterator[tuple[str, int]]:
    """Yield the tags of a list in memory: each a byte for the distance, the tag and a zero; a distance of 0 ends it."""
    while (distance := ctypes.c_ubyte.from_address(address).value) != 0:
        tag = ctypes.string_at(address + 1)
        yield tag.decode().lower(), distance
        address += len(tag) + 2


@cache
def all_voices() -> tuple[LibraryVoice, ...]:
    """Return the voices of the wheel. Raises `ModelLoadFailed`."""
    with Espeak() as library:
        return tuple(library.voices())
