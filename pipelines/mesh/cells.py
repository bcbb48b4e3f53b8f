"""Marching squares: the triangles of a grid cell, by which of its corners are inside.

Corners are 0 top left, 1 top right, 2 bottom right, 3 bottom left; edges that the outline crosses are 4 top, 5 right,
6 bottom, 7 left. The code of a cell has bit n for corner n. Codes 5 and 10, whose inside corners are opposite, are one
polygon; plus 16 they are two. Triangles are counter-clockwise where y points up, and none has an edge inside the cell
between two crossings: the front and the back of a shape share crossings, and would share that edge too.
"""

_RINGS: dict[int, list[tuple[int, ...]]] = {
    1: [(0, 7, 4)],
    2: [(1, 4, 5)],
    4: [(2, 5, 6)],
    8: [(3, 6, 7)],
    3: [(0, 7, 5, 1)],
    6: [(1, 4, 6, 2)],
    12: [(2, 5, 7, 3)],
    9: [(3, 6, 4, 0)],
    7: [(1, 0, 7, 6, 2)],
    14: [(2, 1, 4, 7, 3)],
    13: [(3, 2, 5, 4, 0)],
    11: [(0, 3, 6, 5, 1)],
    15: [(0, 3, 2, 1)],
    5: [(0, 7, 6, 2, 5, 4)],
    10: [(1, 4, 7, 3, 6, 5)],
    21: [(0, 7, 4), (2, 5, 6)],
    26: [(1, 4, 5), (3, 6, 7)],
}
"""Polygons, each a fan from its first corner."""

CELLS: dict[int, tuple[tuple[int, int, int], ...]] = {
    code: tuple((ring[0], ring[n], ring[n + 1]) for ring in rings for n in range(1, len(ring) - 1))
    for code, rings in _RINGS.items()
}
"""The triangles of every code that has some."""
