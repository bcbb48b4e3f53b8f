"""VideoGen's wire format."""
