"""The line that says what was measured on what."""
import os
import re
import subprocess
import sys
from pathlib import Path


def read(path, pattern, fallback="?"):
    try:
        found = re.search(pattern, Path(path).read_text(), re.MULTILINE)
    except OSError:
        found = None
    return found[1].strip() if found else fallback


def output(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    except OSError:
        return ""


def machine_line(libraries):
    cores = len(os.sched_getaffinity(0))
    wrk = output("wrk", "-v").split(" [")[0] or "no wrk"
    return (f"{read('/proc/cpuinfo', r'^model name.*?: (.*)$')}, {cores} cores, Linux "
            f"{os.uname().release}, load {os.getloadavg()[0]:.1f}; {libraries}; "
            f"Node {output('node', '--version') or 'none'}; {wrk}")


def warn_of_load():
    load = os.getloadavg()[0]
    if load > 0.5:
        print(f"bench: the load is {load:.1f}: other programs are at work, figures will vary",
              file=sys.stderr)
