"""Routes of uploads and stored voices."""
