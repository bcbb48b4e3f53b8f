"""Places in the checkout that tests read."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
"""The checkout."""

DOCS = ROOT / "docs"
PHOTO = DOCS / "images" / "product.jpg"
CATALOG = ROOT / "tests" / "support" / "models.toml"
"""Models of the chaos family, for fault tests."""

TLS = ROOT / "tests" / "support" / "servers" / "tls"
"""A certificate authority, and a server's certificate of it."""

CACHE = ROOT / ".cache"
"""What tests install once per version."""
