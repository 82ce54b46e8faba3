#!/bin/sh
# run.sh RELUD MODEL...: what `make run` does once relud is built: serve the models and say how to try it.
set -eu
port=${RELUD_PORT:-8080}
cat <<TEXT

  relud will listen on http://127.0.0.1:$port (RELUD_PORT=… for another port, Ctrl-C to stop). In another terminal:

    curl -s http://127.0.0.1:$port/infer -d @models/digits/examples/one.json
    curl -s http://127.0.0.1:$port/stats

  or open http://127.0.0.1:$port/ in a browser: the dashboard.

TEXT
exec "$@"
