"""Sound effects from words: the families, and their encoder."""
