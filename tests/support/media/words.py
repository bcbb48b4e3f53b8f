"""How much of what was said was understood."""

import re


def word_error_rate(said: str, heard: str) -> float:
    """Words that are wrong, missing or too many, as a share of those that were said (Levenshtein's distance)."""
    wanted, found = (re.findall(r"[a-z0-9']+", text.lower()) for text in (said, heard))
    row = list(range(len(found) + 1))
    for number, word in enumerate(wanted, start=1):
        before, row = row, [number]
        for place, other in enumerate(found, start=1):
            row.append(min(before[place] + 1, row[-1] + 1, before[place - 1] + (word != other)))
    return row[-1] / len(wanted)
