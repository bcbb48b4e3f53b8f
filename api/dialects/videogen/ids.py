"""VideoGen's ids: the UUID of a native id under a prefix of its own."""

from core.errors.unknown import MalformedId
from core.ids import is_id

NATIVE = {
    "vg_exec": "job",
    "vg_file": "med",
    "vg_impt": "med",
    "vg_voic": "voi",
    "vg_enti": "ent",
    "vg_pres": "ent",
    "vg_work": "chn",
    "ep": "whk",
}
"""The prefixes of native ids, by VideoGen's."""


def to_native(prefix: str, text: str) -> str:
    """Return the native id of one with VideoGen's `prefix`. Raises `MalformedId` for text of another shape."""
    if not is_id(prefix, text):
        raise MalformedId(f"{text[:80]!r} is not a {prefix} id; send {prefix}_ followed by 32 hexadecimal digits.")
    return f"{NATIVE[prefix]}_{text.rpartition('_')[2]}"


def from_native(prefix: str, native: str) -> str:
    """Return VideoGen's id of a native one."""
    return f"{prefix}_{native.rpartition('_')[2]}"
