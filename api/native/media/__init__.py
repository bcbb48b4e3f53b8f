"""Routes of uploads, stored voices and the media library."""
