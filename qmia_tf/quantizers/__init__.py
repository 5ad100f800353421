"""Quantizers: pure functions with their gradients, and their grids."""
