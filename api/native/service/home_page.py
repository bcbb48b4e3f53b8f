"""The HTML of the page at the root. It has no script, and loads nothing."""

import base64
import hashlib

STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 3rem auto; padding: 0 1rem; }
h1 { margin-bottom: 0; }
h2 { margin-top: 2rem; font-size: 1.1rem; }
.state { border-left: .4rem solid #17694a; padding-left: .8rem; }
.degraded { border-color: #8a5a00; }
.unavailable { border-color: #b3261e; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; font-weight: normal; vertical-align: top; padding: .3rem 1rem .3rem 0; }
tr + tr { border-top: 1px solid #8884; }
pre { overflow-x: auto; padding: .8rem; border: 1px solid #8884; }
"""
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Atelier</title>
<style>{style}</style>
</head>
<body>
<h1>Atelier</h1>
<p>Media made on your own GPUs. Version {version}.</p>
<p class="state {state}">{sentence}</p>
<h2>What is served</h2>
{served}
<h2>From here</h2>
<ul>{links}</ul>
</body>
</html>
"""
_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
PAGE_HEADERS = {
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Vary": "Accept",
}
"""A browser runs nothing in the page and takes no style but its own."""
