"""Pictures as shapes: tracing by vtracer, and the SVG that is written of the shapes; no torch."""
