"""Content-Disposition (RFC 6266): the name under which a browser saves a file that it shows."""

import re
from urllib.parse import quote

_PLAIN = re.compile(r"[^A-Za-z0-9 ._()-]")


def disposition(name: str) -> str:
    """Return the value for a file of this name: shown in place, and saved under it where it has one."""
    if not name:
        return "inline"
    plain = _PLAIN.sub("_", name)
    encoded = "" if plain == name else f"; filename*=UTF-8''{quote(name, safe='')}"
    return f'inline; filename="{plain}"{encoded}'
