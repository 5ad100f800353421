"""Runs on a board: needs NumPy, absl-py, tqdm and ai-edge-litert only."""
