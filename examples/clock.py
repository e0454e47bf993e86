"""Read two clocks, N times each (default 10,007).

Ring profile, on a clock source that the vDSO can read (tsc, kvm-clock, hyperv):

    clock_gettime  vdso  ring 3  at least 2N: MONOTONIC at least N, REALTIME at least N

and no clock_gettime in ring 0. "At least", because the interpreter reads clocks at start-up.
"""

import sys
import time


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_007
    for _ in range(count):
        time.monotonic()
        time.time()


main()
