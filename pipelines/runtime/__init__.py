"""From a catalog entry to a running pipeline on a device."""
