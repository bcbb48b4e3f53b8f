"""Drawing files of callers: what a confined process makes of an upload for lists and players."""
