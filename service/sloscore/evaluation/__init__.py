"""Evaluation: from a window's counts to a stored score, on a schedule."""
