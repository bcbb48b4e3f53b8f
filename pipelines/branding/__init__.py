"""Branding: logos, palettes, and subjects over other backgrounds; arrays and files, no torch."""
