"""Avatar clips: a face of a picture that says a recording; the families, and their encoder."""
