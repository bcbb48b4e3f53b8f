"""Descriptions without a language model: what a small network takes a picture for, its main colors, and its words."""
