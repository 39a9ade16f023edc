"""The service's own pages, rendered on the server; scripts only keep them fresh."""
