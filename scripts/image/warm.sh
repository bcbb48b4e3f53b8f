#!/bin/sh
# What numba compiles when librosa and rembg are imported, which takes a minute; for any processor (NUMBA_CPU_NAME).
set -eu
NUMBA_CACHE_DIR=/opt/atelier/numba python -c 'import librosa.effects, librosa.feature, librosa.filters, rembg'
