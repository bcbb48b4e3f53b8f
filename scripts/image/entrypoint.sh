#!/bin/sh
# numba reads its cache only from where it may also write.
set -eu
mkdir -p "$HOME/.cache"
[ -d "$HOME/.cache/numba" ] || cp -R /opt/atelier/numba "$HOME/.cache/numba"
exec atelier "$@"
