"""Exit codes of the commands; docs/run.md has all of them in one table."""

from typing import Final

OK: Final = 0
INVALID: Final = 1
# Wrong usage is 2, click's own.
FAILED: Final = 3
NO_DATA: Final = 4
SOURCE: Final = 5
# The service failed, is away, refused the token, or gave no score in time.
SERVICE: Final = 6
# What `doctor` or `db check` found at worst; what `import` left out.
WARNING: Final = 10
CRITICAL: Final = 11
# As of a shell's command that a signal ended; of SIGINT it is this one.
SIGNALLED: Final = 128
INTERRUPTED: Final = 130

# Of `run`, whose first three answer a script's only question; what is wrong with its own input has
# a code past them (EX_USAGE of sysexits.h).
RUN_SOFT: Final = 1
RUN_HARD: Final = 2
RUN_USAGE: Final = 64
# From here on they are the load command's: 101 where it exited with 1.
RUN_COMMAND: Final = 100
CANNOT_RUN: Final = 126
NOT_FOUND: Final = 127


def code_of_command(returncode: int) -> int:
    """The exit code of `run` for a command that failed with this one (negative: ended by a signal).

    Above 125 it is a shell's word for how it ended, and stays; 100 stands for 26 to 125.
    """
    if returncode < 0:
        return SIGNALLED - returncode
    if returncode >= CANNOT_RUN:
        return returncode
    return RUN_COMMAND + returncode if RUN_COMMAND + returncode < CANNOT_RUN else RUN_COMMAND
