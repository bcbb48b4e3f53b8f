#!/bin/sh
# Bytecode of everything, since nothing can be written later. It is not held against the files' times: layers change them.
# Some libraries carry templates that are no Python, hence the second line: what counts is that the programs start.
set -eu
python -m compileall -q -f -j 0 --invalidation-mode unchecked-hash /opt/atelier/app /opt/atelier/venv/lib > /dev/null || true
python -c 'import cli.main, api.app, workers.cpu.main'
