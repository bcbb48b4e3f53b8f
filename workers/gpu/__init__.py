"""The GPU worker's supervisor: claims jobs, commands the engine and commits the results."""
