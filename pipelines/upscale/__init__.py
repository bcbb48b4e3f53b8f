"""Larger pictures: Real-ESRGAN's networks, tile by tile, and Lanczos."""
