"""Keras models: how their graphs are read."""
