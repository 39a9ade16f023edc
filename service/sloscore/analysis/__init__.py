"""Plots and tables of backtests; imported only where the ``analysis`` extra is installed."""
