"""The media library on the CPU worker: files that arrive are looked at, deleted ones are removed."""
