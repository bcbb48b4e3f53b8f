"""URLs as messages and logs show them: without what may be a secret."""

import re

HIDDEN = "…"
"""Stands for what is left out."""

_PLACE = re.compile(r"([\w.,-]|\[[0-9a-fA-F:.]+\]|(?<=[\w\]]):\d+(?=[/,]|$))*(/.*)?")
"""Hosts, each with a port of digits at most, and a path."""


def shown(url: str) -> str:
    """Return a URL without user, password, query and fragment.

    Only the scheme is shown of text that was mistyped so that its parts cannot be distinguished: a password may hold
    any character, and a missing one shifts what comes after it. A path is shown as it is.
    """
    scheme, separator, rest = url.partition("://")
    if not separator or not re.fullmatch(r"[A-Za-z][\w+.-]*", scheme):
        return url if re.match(r"\.{0,2}/[^:@?#]*$", url) else HIDDEN
    place, query = [*re.split(r"(?=[?#])", rest, maxsplit=1), ""][:2]
    _, at, place = place.rpartition("@")
    if not _PLACE.fullmatch(place) or "@" in query:
        return f"{scheme}://{HIDDEN}"
    return f"{scheme}://{HIDDEN + '@' if at else ''}{place}{'?' + HIDDEN if query else ''}"
