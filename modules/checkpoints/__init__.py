"""Files -> ModelBundle: what lies in the model folders, what kind of model a file is, and how it gets into memory."""
