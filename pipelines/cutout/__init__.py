"""Background removal: the foreground of a picture on transparency."""
