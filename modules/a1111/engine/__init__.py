"""The networks of diffusers in the shape that A1111's extensions know: their layers are the same objects, and what an
extension puts in place of one takes part in the drawing."""
