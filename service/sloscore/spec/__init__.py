"""Task specs and server presets."""
