"""TripoSG (VAST-AI, MIT weights): one image to one mesh, built from facts of the published checkpoint."""
