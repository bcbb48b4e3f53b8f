"""One module per subject; a new modality is one more, a few lines long."""
