"""The parts of a picture with labels: the families that find them, and their encoder."""
