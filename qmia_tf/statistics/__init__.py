"""Statistics of membership scores; NumPy and SciPy only.

Members are the positive class and a higher score is more member-like,
everywhere.
"""
