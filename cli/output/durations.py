"""Durations as people type them, `45s`, `90m`, `12h`, `30d`, and as they read them, `2 min 5 s`."""

import re

import rich_click as click

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
UNITS = {"s": "s", "m": "min", "h": "h"}
PATTERN = re.compile(r"(\d+(?:\.\d+)?)([smhd])")
FOREVER = "forever"
DEFAULT = "default"


class Duration(click.ParamType[float | None]):
    """A number of seconds as a float; a `retention` may also be `forever`, which is -1, or `default`, which is None."""

    name = "duration"

    def __init__(self, *, retention: bool = False) -> None:
        self._retention = retention

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float | None:
        """Return the seconds; raise `click.BadParameter` for a text that is not a duration."""
        if isinstance(value, float):
            return value
        text = str(value).strip().lower()
        if self._retention and text in (FOREVER, DEFAULT):
            return -1.0 if text == FOREVER else None
        match = PATTERN.fullmatch(text)
        if match is None:
            more = f", {FOREVER}, {DEFAULT}" if self._retention else ""
            self.fail(f"{value!r} is not a duration (examples: 45s, 90m, 12h, 30d{more}).", param, ctx)
        return float(match[1]) * SECONDS[match[2]]


def format_duration(seconds: float) -> str:
    """Format seconds in the largest unit that needs no fraction: 3600 is `1h`; a negative number is `forever`."""
    if seconds < 0:
        return FOREVER
    unit = next((unit for unit in "dhm" if seconds >= SECONDS[unit] and seconds % SECONDS[unit] == 0), "s")
    return f"{seconds / SECONDS[unit]:g}{unit}"


def spell_seconds(seconds: float) -> str:
    """Spell a time that is shown to a person, with two units at most: `0.3 s`, `12 s`, `2 min 5 s`, `3 h 20 min`."""
    if seconds < 9.95:
        return f"{max(seconds, 0):.1f} s" if seconds % 1 else f"{seconds:.0f} s"
    whole = round(seconds)
    if whole < SECONDS["m"]:
        return f"{whole} s"
    large, small = ("h", "m") if whole >= SECONDS["h"] else ("m", "s")
    count, rest = divmod(whole // SECONDS[small], SECONDS[large] // SECONDS[small])
    return f"{count} {UNITS[large]} {rest} {UNITS[small]}" if rest else f"{count} {UNITS[large]}"
