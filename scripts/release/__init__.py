"""Cuts a version of Atelier, without publishing anything: `make release VERSION=1.2.3` (docs/releasing.md)."""
