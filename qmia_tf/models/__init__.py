"""Keras models: ResNet-18, .keras files, the one reader of graphs."""
