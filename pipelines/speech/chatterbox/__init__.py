"""Chatterbox (Resemble AI, MIT weights): speech in the voice of a recording, by the networks of `chatterbox-tts`."""
