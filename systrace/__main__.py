"""``python -I -m systrace``: the same as the launcher, without it."""

import gc
import sys

# What is imported stays, so that looking for garbage meanwhile is 5 % of a start for nothing.
gc.set_threshold(100_000)

from systrace.cli import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
