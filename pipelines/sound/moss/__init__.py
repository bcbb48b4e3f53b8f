"""MOSS-SoundEffect 2 (OpenMOSS, Apache-2.0): words to a sound, of classes of diffusers and transformers."""
