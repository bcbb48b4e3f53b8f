"""Whole numbers that a client writes with a fraction of zero.

To JSON Schema 5.0 is an integer, and languages with one kind of number send it; msgspec reads it as a float.
"""

from typing import Any

LARGEST = 2**53
"""Beyond it a float no longer tells whole numbers apart."""


def whole_numbers(value: Any) -> Any:
    """Return plain JSON values with every number of that kind as an integer. Raises `RecursionError`."""
    if isinstance(value, float):
        return int(value) if abs(value) <= LARGEST and value.is_integer() else value
    if isinstance(value, list):
        return [whole_numbers(item) for item in value]
    if isinstance(value, dict):
        return {name: whole_numbers(item) for name, item in value.items()}
    return value
