"""TripoSG (VAST-AI, MIT weights): one picture to a mesh, built from facts of the published checkpoint.

A picture travels `conditioning` (DINOv2 tokens) -> `schedule` (rectified flow over `transformer`) -> `vae` (latents to
a field of values, positive inside) -> `extract` (the surface of that field). `config` and `load` read the published
folders, `family` puts it together, `layers` is what both networks are made of.

Shapes in comments: B batch, N latent tokens, C channels, H heads, D channels of a head, P points.
"""
