"""What the families that run on diffusers share."""
