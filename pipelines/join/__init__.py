"""Films that are there already, one after the other as one; PyAV and NumPy, no torch."""
