"""Choice of the demo camera's move from the words of a prompt.

=================================================================  =============================================
words                                                              move
=================================================================  =============================================
zoom in, push in, dolly in, closer, close-up, approach; zoom       towards the middle
zoom out, pull out, pull back, dolly out, back away, wider,        away from the middle; what lies beyond the
reveal                                                             image is its mirror image
left, right, up, down; tilt (up), pan (right)                      the camera moves that way, nearer, to have room
orbit, circle, turn around, parallax, 3d                           sways around the middle, which stands out
static, locked, no motion, no movement                             none
slow, slowly, gentle, subtle; fast, quick, rapid, dramatic         half as far; half as far again
=================================================================  =============================================

Moves combine: "slow zoom out, drifting to the left". Words that name no move, like the default prompt "cinematic
motion", give a slow push towards the middle with a slight drift, whose direction the seed decides.
"""

import random
import re

import msgspec

from pipelines.diffusion.prompt_scope import quote

_PLACE = re.compile(
    r"\b(from|on|at) (the |its |your )?(left|right|top|bottom|above|below|behind)\b|\b(left|right)[- ]hand\b"
)
"""Where something is, or where a move comes from, is not where the camera goes."""
_CLOSE_UP = re.compile(r"\bclose[- ]?ups?\b")
_OUT = re.compile(
    r"\b(zoom\w*|pull\w*|dolly\w*|mov\w+|track\w*) (back|out|away)|\bback(s|ing)? away|\bwider\b|\breveal"
)
_IN = re.compile(
    r"\b(zoom|push|dolly|mov|track)\w* ?-?(in|into|towards?|forwards?)\b|\bclose(r|-?up| up)|\bapproach|\bzoom"
)
_SIDES = {
    "left": (-1.0, 0.0),
    "right": (1.0, 0.0),
    "up": (0.0, -1.0),
    "upwards?": (0.0, -1.0),
    "down": (0.0, 1.0),
    "downwards?": (0.0, 1.0),
}
_ORBIT = re.compile(r"\borbit|\bparallax|\b(mov|turn|rotat|spin|travel)\w* around\b|\bcircl(e|es|ing)\b|\b3-?d\b")
_STATIC = re.compile(r"\bstatic\b|\blocked\b|\bno (camera )?(motion|movement)|\bmotionless")
_SLOW = re.compile(r"\bslow|\bgentl|\bsubtl")
_FAST = re.compile(r"\bfast|\bquick|\brapid|\bdramatic")


_PAN, _TILT = re.compile(r"\bpan(s|ning)?\b"), re.compile(r"\btilt")
_SIDE = re.compile(rf"\b({'|'.join(_SIDES)})\b")
_READ = (_PLACE, _CLOSE_UP, _OUT, _IN, _ORBIT, _STATIC, _SLOW, _FAST, _PAN, _TILT, _SIDE)
_PLAIN = {
    *("a", "an", "the", "and", "then", "while", "with", "by", "of", "to", "towards", "in", "on", "at", "from", "into"),
    *("around", "it", "its", "very", "camera", "lens", "shot", "cinematic", "motion", "move", "moves", "movement"),
    *("moving", "drift", "drifts", "drifting", "smooth", "smoothly", "steady", "middle", "center"),
}
"""Words that ask for nothing beyond a move."""


class Move(msgspec.Struct, frozen=True, kw_only=True):
    """The move of a camera from the first frame to the last.

    - `zoom`: 1 towards, -1 away, 0 neither.
    - `right`, `down`: the direction, -1 to 1.
    - `orbit`: -1 or 1 is the side on which the sway begins, 0 is none.
    - `reach`: how far; 1 is normal.
    - `words`: the move in a few words.
    """

    zoom: int = 0
    right: float = 0.0
    down: float = 0.0
    orbit: int = 0
    reach: float = 1.0
    words: str = ""


def choose_move(prompt: str, seed: int) -> Move:
    """Return the move that the prompt asks for; the seed decides what the prompt leaves open."""
    text = _PLACE.sub(" ", _CLOSE_UP.sub("closer", prompt.lower()))
    if _STATIC.search(text):
        return Move(words="static")
    zoom = -1 if _OUT.search(text) else 1 if _IN.search(text) else 0
    right, down = _direction(text)
    orbit = bool(_ORBIT.search(text))
    choice = random.Random(seed)
    side = choice.choice((-1, 1))
    if not (zoom or right or down or orbit):
        return Move(zoom=1, right=0.35 * side, down=0.2 * choice.choice((-1, 1)), reach=0.7, words="push in, drift")
    reach = 0.5 if _SLOW.search(text) else 1.5 if _FAST.search(text) else 1.0
    return Move(
        zoom=zoom,
        right=right,
        down=down,
        orbit=(int(right) or side) if orbit else 0,
        reach=reach,
        words=_words(zoom, right, down, orbit),
    )


def unread(prompt: str) -> tuple[str, ...]:
    """Return what of a prompt names no move: a sentence without its subject, or nothing."""
    text = prompt.lower()
    read = {place for pattern in _READ for match in pattern.finditer(text) for place in range(*match.span())}
    words = [word for word in re.finditer(r"[^\W_]+(?:['’-][^\W_]+)*", text) if read.isdisjoint(range(*word.span()))]
    unknown = [word[0] for word in words if word[0] not in _PLAIN]
    return (f"did not look at {quote(unknown)}",) if unknown else ()


def _direction(text: str) -> tuple[float, float]:
    named = [way for word, way in _SIDES.items() if re.search(rf"\b{word}\b", text)]
    right = max(-1.0, min(1.0, sum(way[0] for way in named)))
    down = max(-1.0, min(1.0, sum(way[1] for way in named)))
    if not named and _PAN.search(text):
        right = 1.0
    if not named and _TILT.search(text):
        down = -1.0
    return right, down


def _words(zoom: int, right: float, down: float, orbit: bool) -> str:
    parts = ["push in" if zoom > 0 else "pull out"] if zoom else []
    parts += ["right" if right > 0 else "left"] if right else []
    parts += ["down" if down > 0 else "up"] if down else []
    return ", ".join([*parts, "orbit"] if orbit else parts)
