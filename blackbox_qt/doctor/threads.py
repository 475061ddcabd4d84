"""What each of this process's threads has cost: the scheduler's own account, by the names the program gives them."""

from __future__ import annotations

import threading
import time
from collections import Counter

_CPUCLOCK_PERTHREAD_SCHED = 4 | 2  # clock_getcpuclockid(3): of one thread, as the scheduler counts, ns
OTHERS = "libraries' own threads"


def cpu_ns() -> Counter[str]:
    """CPU time, ns, so far by thread name, and of the threads that libraries started, those that have ended included.

    Threads: any.
    """
    used: Counter[str] = Counter()
    for thread in threading.enumerate():
        if thread.native_id is not None:
            used[thread.name] += _of(thread.native_id)
    used[OTHERS] = max(0, time.process_time_ns() - sum(used.values()))
    return used


def _of(tid: int) -> int:
    try:
        return time.clock_gettime_ns((~tid << 3) | _CPUCLOCK_PERTHREAD_SCHED)
    except OSError:  # it ended just now
        return 0


def cpu_of(names: Counter[str], prefix: str) -> int:
    """ns of the threads whose names begin so.

    Threads: any.
    """
    return sum(used for name, used in names.items() if name.startswith(prefix))
