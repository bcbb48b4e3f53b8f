"""Spans of time as people type them: `45s`, `90m`, `12h`, `30d`."""

import re

import rich_click as click

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
PATTERN = re.compile(r"(\d+(?:\.\d+)?)([smhd])")
FOREVER = "forever"
DEFAULT = "default"


class Duration(click.ParamType[float | None]):
    """Seconds, as a float; with `keeping`, `forever` is -1 and `default` None too."""

    name = "duration"

    def __init__(self, *, keeping: bool = False) -> None:
        self._keeping = keeping

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float | None:
        """The seconds; raises `click.BadParameter`."""
        if isinstance(value, float):
            return value
        said = str(value).strip().lower()
        if self._keeping and said in (FOREVER, DEFAULT):
            return -1.0 if said == FOREVER else None
        match = PATTERN.fullmatch(said)
        if match is None:
            more = f", {FOREVER} or {DEFAULT}" if self._keeping else ""
            self.fail(f"{value!r} is no span of time: write 45s, 90m, 12h, 30d{more}.", param, ctx)
        return float(match[1]) * SECONDS[match[2]]


def format_duration(seconds: float) -> str:
    """The largest unit that says it in whole numbers: 3600 is `1h`; a negative number is `forever`."""
    if seconds < 0:
        return FOREVER
    unit = next((unit for unit in "dhm" if seconds >= SECONDS[unit] and seconds % SECONDS[unit] == 0), "s")
    return f"{seconds / SECONDS[unit]:g}{unit}"
