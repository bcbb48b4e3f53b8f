"""ImagePipeline's wire format."""
