"""The page of the demo: one file without scripts, beside what it shows."""

import base64
import hashlib
from collections.abc import Sequence
from html import escape
from pathlib import Path
from urllib.parse import quote

from cli.demo.run import LEFT_OUT, DemoResult
from cli.local.program import program
from cli.output.durations import spell_seconds

PAGE = "index.html"
PICTURES = {".webp", ".png", ".jpg", ".svg"}
FILMS = {".mp4", ".webm"}
SOUNDS = {".wav", ".mp3", ".ogg", ".flac"}
TEXTS = {".txt", ".md", ".json", ".srt", ".vtt"}
CLEAR = {".png", ".webm"}
"""Of pictures and films those that may be transparent."""
MOST_CHARACTERS = 4000
"""Characters of a text that the page shows."""

STYLE = """
:root{color-scheme:light dark;--ground:#f6f5f2;--card:#fff;--ink:#1c1b19;--dim:#5c5a55;--line:#dddad3;--link:#0a5c8a;
--bad:#a3241c;--check:#ece9e3;--code:#f1efea}
@media (prefers-color-scheme:dark){:root{--ground:#161614;--card:#1f1f1d;--ink:#edebe6;--dim:#a9a69f;--line:#383733;
--link:#7cc4f0;--bad:#ff9d92;--check:#2b2a28;--code:#282725}}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);font:16px/1.5 system-ui,sans-serif}
header,main,footer{max-width:80rem;margin:0 auto;padding:0 1.25rem}
header{padding-top:2.5rem}
footer{padding-bottom:3rem;color:var(--dim)}
h1{margin:0 0 .25rem;font-size:1.9rem;line-height:1.2;letter-spacing:-.01em}
p{margin:.25rem 0;max-width:70ch}
a{color:var(--link)}
main{display:grid;gap:1.25rem;grid-template-columns:repeat(auto-fill,minmax(min(100%,21rem),1fr));padding-block:1.75rem}
article{display:flex;flex-direction:column;overflow:hidden;border:1px solid var(--line);border-radius:10px;
background:var(--card)}
.shown{display:flex;flex-direction:column;justify-content:center;height:15rem;background:var(--code)}
.shown.clear{background:repeating-conic-gradient(var(--check) 0 25%,var(--card) 0 50%) 0 0/20px 20px}
.shown>a{flex:1;min-height:0;display:flex}
.shown img,.shown video{flex:1;width:100%;min-height:0;height:100%;object-fit:contain}
.shown audio{width:100%;padding:.6rem;flex:none}
.shown.words{display:block;overflow:auto;padding:1rem 1.1rem;white-space:pre-wrap;overflow-wrap:anywhere}
.shown.none{padding:1rem 1.1rem;color:var(--dim)}
.shown.bad{color:var(--bad)}
.facts{padding:.9rem 1.1rem 1.1rem;border-top:1px solid var(--line)}
h2{margin:0;font-size:1.05rem;line-height:1.3}
q{color:var(--ink)}
.dim{color:var(--dim);font-size:.9rem}
summary{margin-top:.5rem;color:var(--dim);font-size:.9rem;cursor:pointer}
code{display:block;margin-top:.4rem;padding:.6rem .7rem;border-radius:6px;background:var(--code);
font:.8rem/1.5 ui-monospace,monospace;white-space:pre-wrap;overflow-wrap:anywhere}
footer code{display:inline;padding:.1rem .3rem}
"""
POLICY = (
    "default-src 'none'; base-uri 'none'; form-action 'none'; img-src 'self' file:; media-src 'self' file:; "
    f"style-src 'sha256-{base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()}'"
)
"""What a browser may load: the files beside the page, which `file:` means where it is opened as one."""


def write_page(out: Path, results: Sequence[DemoResult], seconds: float) -> Path:
    """Write the page of a demo that took so many seconds into its folder, and return it."""
    page = out / PAGE
    cards = "\n".join(_card(result, number, out) for number, result in enumerate(results, 1))
    made = sum(result.status == "completed" for result in results)
    page.write_text(
        f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{escape(POLICY)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>What the demo made</title>
<style>{STYLE}</style>
</head>
<body>
<header>
<h1>What the demo made</h1>
<p>Atelier made {made} of {len(results)} on this machine in {spell_seconds(seconds)}, each through the API, the queue
and a worker. The demo models show the machinery, not the art.</p>
</header>
<main>
{cards}
</main>
<footer>
<p>The service of the demo has ended. <code>{escape(program())} up</code> starts one that stays, with a console in the
browser; then the command of each card, run in the folder from which the demo was started, makes the same again.</p>
</footer>
</body>
</html>
""",
        encoding="utf-8",
    )
    return page


def _card(result: DemoResult, number: int, out: Path) -> str:
    words = f"<p><q>{escape(result.prompt)}</q></p>\n" if result.prompt else ""
    sources = ", ".join(_source(name, out) for name in result.sources)
    of = f'<p class="dim">Made of {sources}</p>\n' if sources else ""
    warnings = "".join(f'<p class="dim">{escape(warning)}</p>\n' for warning in result.warnings)
    return f"""<article aria-labelledby="job-{number}">
{_shown(result, out)}
<div class="facts">
<h2 id="job-{number}">{escape(result.title)}</h2>
{words}{of}<p class="dim">{_facts(result)}</p>
{warnings}<details><summary>The command</summary><code>{escape(result.command)}</code></details>
</div>
</article>"""


def _shown(result: DemoResult, out: Path) -> str:
    """Return what was made as a browser shows it, or why it was not."""
    if result.file is None:
        bad = "" if result.status == LEFT_OUT else " bad"
        return f'<div class="shown none{bad}"><p>{result.status.capitalize()}: {escape(result.error or "")}</p></div>'
    link, kind, label = quote(result.file), Path(result.file).suffix, escape(result.title)
    preview = f'<img src="{quote(result.preview)}" alt="{label}, as a picture">' if result.preview else ""
    style = "shown clear" if kind in CLEAR else "shown"
    if kind in PICTURES:
        return f'<div class="{style}"><a href="{link}"><img src="{link}" alt="{label}"></a></div>'
    if kind in FILMS:
        return (
            f'<div class="{style}"><video src="{link}" aria-label="{label}" controls loop muted playsinline '
            'preload="auto"></video></div>'
        )
    if kind in SOUNDS:
        return (
            f'<div class="shown">{preview}<audio src="{link}" aria-label="{label}" controls preload="metadata">'
            "</audio></div>"
        )
    if kind in TEXTS:
        text = (out / result.file).read_text(encoding="utf-8", errors="replace")[:MOST_CHARACTERS]
        return f'<div class="shown words" tabindex="0" role="region" aria-label="{label}">{escape(text)}</div>'
    return f'<div class="shown"><a href="{link}" aria-label="{label}: {escape(result.file)}">{preview}</a></div>'


def _facts(result: DemoResult) -> str:
    """Return the file with its link, the model and the time."""
    file = f'<a href="{quote(result.file)}">{escape(result.file)}</a>' if result.file else ""
    time = "" if result.seconds is None else spell_seconds(result.seconds)
    return " · ".join(filter(None, (file, escape(result.model or ""), time)))


def _source(name: str, out: Path) -> str:
    """Return the name of an input, as a link where it is one of the files beside the page."""
    return f'<a href="{quote(name)}">{escape(name)}</a>' if (out / name).exists() else escape(name)
