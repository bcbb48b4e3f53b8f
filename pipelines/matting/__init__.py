"""The demo matting network: composites drawn by this project, a small network trained on them, its scores."""
