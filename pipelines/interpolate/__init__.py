"""Films with more frames a second: RIFE's network between every two frames."""
