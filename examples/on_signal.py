"""Wait, and at each SIGUSR1 call time.time_ns() N times (default 10,007) in each of 8 threads.

Something to attach to; prints "ready" once, and "done" after each round.

    clock_gettime  vdso  ring 3  8 * N REALTIME a round; MONOTONIC is the interpreter's own
"""

import signal
import sys
import threading
import time

THREADS = 8
calls = int(sys.argv[1]) if len(sys.argv) > 1 else 10_007
begin, end = threading.Barrier(THREADS + 1), threading.Barrier(THREADS + 1)


def work() -> None:
    while True:
        begin.wait()
        for _ in range(calls):
            time.time_ns()
        end.wait()


signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
for _ in range(THREADS):
    threading.Thread(target=work, daemon=True).start()
print("ready", flush=True)
while signal.sigwait({signal.SIGUSR1}):
    begin.wait()
    end.wait()
    print("done", flush=True)
