"""Small copies for lists and players: thumbnails, posters, strips of frames, short films, peaks of sound."""
