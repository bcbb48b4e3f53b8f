"""Families that make meshes of pictures.

What they return is one closed triangle mesh in `Raw.arrays`:

- `vertices`: float32, n x 3, within [-1, 1], the middle of their bounding box at the origin; y is up, and the side
  that the picture shows faces +z.
- `faces`: int32, m x 3, rows of `vertices`, counter-clockwise seen from outside.

`Raw.facts` holds at least the `seed`, and the `num_inference_steps` of a model that has steps.
"""
