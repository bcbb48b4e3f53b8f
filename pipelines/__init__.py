"""What can be made: the model catalogue, the weights and their lock, one module per model family.

`spec`, `catalog`, `families`, `rules`, `weights` and `lockfile` import neither torch nor numpy.
"""
