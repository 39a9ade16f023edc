"""Advice on a set-up before anyone relies on it: the buckets that it needs, and what is wrong."""
