"""Objectives that were written for other tools, as tasks; what has no equivalent is named."""
