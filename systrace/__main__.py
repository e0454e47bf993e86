"""``python -I -m systrace``: the same as the launcher, without it."""

import sys

from systrace.cli import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
