"""Descriptions without a language model: what a small network takes a picture for, and its main colors."""
