"""Wan-Animate-2: a person in a picture moves as the one in a film does, by a modular pipeline of diffusers."""
