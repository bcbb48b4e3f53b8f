"""Background removal: the foreground of an image on transparency."""
