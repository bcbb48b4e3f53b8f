"""Choice of the file format of an output that is not an image."""

from collections.abc import Collection


def choose_format(asked: str, formats: Collection[str], default: str, made: str) -> tuple[str, tuple[str, ...]]:
    """Return `asked` if it is among `formats`, else `default` with a warning that names what was `made`.

    Every request may name an image format, since `output_format` is one field for all modalities.
    """
    if asked in formats:
        return asked, ()
    return default, (f"`output_format` {asked} is for images; this {made} is {default}",)
