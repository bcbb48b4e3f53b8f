"""The engine and encoder processes: models in device memory, and the files made of their outputs."""
