"""``python -m sloscore``."""

from sloscore.cli.main import main

if __name__ == "__main__":
    main()
