"""What a caller may ask for: one frozen struct per modality."""
