"""Vectors of texts and pictures: the families that make them, and their encoder."""
