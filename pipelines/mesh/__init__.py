"""Families that make meshes of pictures.

What they return is one closed triangle mesh in `Raw.arrays`:

- `vertices`: float32, n x 3, within [-1, 1], the middle of their bounding box at the origin; y is up, and the side
  that the picture shows faces +z.
- `faces`: int32, m x 3, rows of `vertices`, counter-clockwise seen from outside.

A family that has a texture returns two more, and keeps to `max_faces` itself:

- `uv`: float32, n x 2, 0 to 1, v up; `texture`: uint8, height x width x 3, its first row at v = 1.

One that has none returns, for `mode` "paint", what its mesh is painted with in the encoder process:

- `picture`: uint8, height x width x 4, cropped to the object: as wide and as high as the mesh seen from +z.

`Raw.facts` holds at least the `seed`, and the `num_inference_steps` of a model that has steps.
"""
