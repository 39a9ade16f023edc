"""Simulated inference servers with real histograms, and a real Prometheus to scrape them."""
