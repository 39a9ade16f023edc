"""Exit codes of the commands (2 is click's own for wrong usage)."""

from typing import Final

OK: Final = 0
INVALID: Final = 1
FAILED: Final = 3
NO_DATA: Final = 4
SOURCE: Final = 5
# What `doctor` found at worst.
WARNING: Final = 10
CRITICAL: Final = 11
# As of a shell's command that SIGINT ended.
INTERRUPTED: Final = 130
