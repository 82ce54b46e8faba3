"""daemon.py: a live relud for the scripts beside it."""
import contextlib
import os
import re
import subprocess
import sys

RELUD = os.environ.get("RELUD", "build/release/relud")


@contextlib.contextmanager
def serving(*arguments, env=None):
    """The URL of a relud that serves with these arguments on a free port, until the block ends."""
    server = subprocess.Popen([RELUD, "--port", "0", *arguments], stderr=subprocess.PIPE, text=True, env=env)
    try:
        said = []
        for line in server.stderr:
            said.append(line)
            found = re.match(r"relud: listening on (http://\S+)", line)
            if found:
                break
        else:
            sys.exit("relud did not start:\n" + "".join(said))
        yield found[1]
    finally:
        server.terminate()
        server.wait()
