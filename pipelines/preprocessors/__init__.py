"""Control pictures: the edges, the depths and the poses of a picture."""
