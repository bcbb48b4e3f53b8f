"""How a browser takes a file: Content-Disposition (RFC 6266), and the charset of texts."""

import re
from urllib.parse import quote

_PLAIN = re.compile(r"[^A-Za-z0-9 ._()-]")


def served_type(media_type: str) -> str:
    """Return the Content-Type of a stored file: its texts are UTF-8, which a browser does not guess."""
    return f"{media_type}; charset=utf-8" if media_type.startswith("text/") else media_type


def disposition(name: str, *, is_shown: bool = True) -> str:
    """Return the value for a file of this name: shown in place, else saved; under the name where it has one."""
    kind = "inline" if is_shown else "attachment"
    if not name:
        return kind
    plain = _PLAIN.sub("_", name)
    encoded = "" if plain == name else f"; filename*=UTF-8''{quote(name, safe='')}"
    return f'{kind}; filename="{plain}"{encoded}'
