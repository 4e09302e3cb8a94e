"""Waiting for conditions, and how much of everything to do."""
import os
import time

SCALE = float(os.environ.get("LB_SCALE", "1"))
PATIENCE = float(os.environ.get("LB_PATIENCE", "1"))
SECONDS = 10 * PATIENCE  # how long a condition may take that holds at once on an idle machine


def scaled(count, least=1):
    """`count` in a full run, fewer under LB_SCALE, never fewer than `least`."""
    return max(least, int(count * SCALE))


def until(condition, what, seconds=SECONDS, interval=0.01):
    """The first true value of condition(); fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:.0f} s: {what() if callable(what) else what}")
        time.sleep(interval)
