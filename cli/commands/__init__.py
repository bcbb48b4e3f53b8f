"""The commands of `atelier`."""
