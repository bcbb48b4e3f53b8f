"""Audio as files, for every modality that makes any; runs in the encoder process, without torch."""
