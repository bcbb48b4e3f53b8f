"""Weight files: lock, download, import and verification."""
