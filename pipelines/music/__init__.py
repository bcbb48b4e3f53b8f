"""Music from words: the families, and their encoder."""
