"""Routes of profiles: named defaults of image jobs."""
