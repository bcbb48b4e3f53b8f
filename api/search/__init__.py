"""Search by vectors: the media library's items that are like words or like a picture."""
