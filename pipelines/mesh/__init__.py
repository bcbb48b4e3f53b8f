"""Image to 3D: the families, and what turns their meshes into files."""
