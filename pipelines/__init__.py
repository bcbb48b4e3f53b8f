"""What can be made: the model catalogue, the weights and their lock, one module per model family.

`spec`, `catalog`, `lockfile` and `weights` import neither torch nor numpy; `pipeline`, `families`, `runtime` and the
encoders import no torch.
"""

from pipelines.speech import torchaudio_stub

torchaudio_stub.install()
