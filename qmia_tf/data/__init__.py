"""Records on their way to a model: pixels, batches."""
