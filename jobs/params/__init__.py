"""The parameters of a request: one frozen struct per modality."""
