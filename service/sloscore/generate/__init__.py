"""Task files as rules for Prometheus and what speaks its rule format: no service is needed."""
