"""Waits for servers that tests start."""

import time
import urllib.request


def wait_until_up(url, process, log):
    """Wait until a URL answers; fail with the text of `log()` if the process ends before."""
    for _ in range(240):
        try:
            urllib.request.urlopen(url, timeout=5)
            return
        except OSError:
            assert process.poll() is None, log()
            time.sleep(0.5)
