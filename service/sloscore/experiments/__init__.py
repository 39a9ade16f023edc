"""Experiments: their states, their store and the window they are measured over."""
