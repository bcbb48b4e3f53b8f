"""Sizes that clients of other services ask for, brought within what is made here."""


def parse_pair(text: str, separator: str) -> tuple[float, float]:
    """Return the two numbers of `1024x768` or `16:9`."""
    first, _, second = text.partition(separator)
    return float(first), float(second)


def fit_sides(width: float, height: float, sides: tuple[int, int], step: int) -> tuple[int, int]:
    """Return width and height between the two `sides`, multiples of `step`, in the same ratio as far as that allows."""
    least, most = sides
    scale = min(1.0, most / max(width, height))
    scale = max(scale, min(least / min(width, height), most / max(width, height)))
    return (
        min(max(round(width * scale / step) * step, least), most),
        min(max(round(height * scale / step) * step, least), most),
    )
