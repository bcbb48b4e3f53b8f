"""What agents read of the tools: instructions and descriptions."""

INSTRUCTIONS = """\
Atelier makes images, videos, speech, sounds, music, 3D models and cut-outs on its own GPUs.

1. Call get_models first and choose a model with `available: true` that does the generation type you need.
2. Call generate_media. It answers at once with a `generation_id`.
3. Call get_generation_status with it and `wait: 50` until `status` is completed, failed or cancelled. Without `wait`, \
leave `poll_after_seconds` between two calls.

Links in `outputs` need no key. To go on from a result, pass `output:<generation_id>/0` in `source_media_urls`. \
Times are seconds, costs are credits. A refused call says what to change; change it and call again.
"""

GENERATE_MEDIA = """\
Start the generation of an image, a video, speech, a sound, music, a 3D model or a cut-out, and return at once with \
its `generation_id`. Then call get_generation_status until it has ended. Call get_models first: each model has its \
generation types, numbers of inputs and limits. Arguments that a model does not support are ignored, and `warnings` \
say so."""

GET_GENERATION_STATUS = """\
Get the status of a generation, and its outputs once `status` is completed: links, sizes, and small pictures \
themselves. With `wait` the call takes as long as the generation, at most so many seconds; otherwise leave \
`poll_after_seconds` between two calls. Results are kept, so a generation can be looked up again later."""

GET_GENERATION_ESTIMATE = """\
Estimate how long a generation would take and what it would cost, for a model and arguments as of generate_media. \
Nothing is started."""

GET_MODELS = """\
List the models: whether each is available now, what it makes, how many inputs of which kind it takes, what a \
generation costs and how long it takes, and what it supports."""

CANCEL_GENERATION = """\
Cancel a generation that waits or runs; it costs nothing then. One that has ended stays as it is."""
