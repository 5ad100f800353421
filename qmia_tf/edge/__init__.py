"""Runs on a board: needs NumPy, absl-py, tqdm, filelock and LiteRT only."""
