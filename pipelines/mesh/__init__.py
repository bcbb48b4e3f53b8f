"""Image to 3D: the families, and the encoder of meshes."""
