"""The object store: one protocol, implemented by S3 and by a directory."""
