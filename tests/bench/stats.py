#!/usr/bin/python3
"""stats.py [--build DIR] [--net NET] [--seconds N] [--json FILE]: what reading the statistics costs.

Reads GET /stats?detail=units with curl from a daemon at rest and from one at work; then one client posts row after row, in
stretches with and without somebody who reads once a second. Processor time is the daemon's.
"""
import argparse
import json
import statistics
import subprocess
import threading
import time
from http.client import HTTPConnection
from pathlib import Path

import machine
import models
from servers import Server

READINGS = 50
PAIRS = 6  # of stretches, with and without a reader; every other pair begins with the reader
RAW = {"Content-Type": "application/octet-stream", "Accept": "application/octet-stream"}


class Client:
    """Posts different rows over one connection, one after the other, until it is stopped."""

    def __init__(self, server, rows, row_bytes):
        self.connection = HTTPConnection(server.host, server.port)
        self.bodies = [rows[at:at + row_bytes] for at in range(0, len(rows), row_bytes)]
        self.answered, self.stopped = 0, False
        self.thread = threading.Thread(target=self._run, daemon=True)

    def post(self):
        self.connection.request("POST", "/infer", self.bodies[self.answered % len(self.bodies)], RAW)
        reply = self.connection.getresponse()
        reply.read()
        if reply.status != 200:
            raise SystemExit(f"bench: status {reply.status}")
        self.answered += 1

    def _run(self):
        while not self.stopped:
            self.post()

    def stop(self):
        self.stopped = True
        self.thread.join()


def read(server):
    """Milliseconds and bytes of a reading, as curl tells."""
    said = subprocess.run(["curl", "-s", "-o", "/dev/null", "-w", "%{time_total} %{size_download} %{http_code}",
                           f"http://{server.host}:{server.port}/stats?detail=units"], capture_output=True, text=True, check=True)
    seconds, size, status = said.stdout.split()
    if status != "200":
        raise SystemExit(f"bench: status {status}")
    return 1000 * float(seconds), int(size)


def readings(server, pause=0):
    begun, found = server.cpu_seconds(), []
    for _ in range(READINGS):
        found.append(read(server))
        time.sleep(pause)
    times = sorted(ms for ms, _ in found)
    return {"median_ms": statistics.median(times), "p90_ms": times[READINGS * 9 // 10], "max_ms": times[-1],
            "cpu_ms": 1000 * (server.cpu_seconds() - begun) / READINGS, "bytes": found[0][1]}


def stretch(server, client, seconds, reads):
    """Requests/s, and milliseconds of processor time for each."""
    begun, cpu, answered = time.monotonic(), server.cpu_seconds(), client.answered
    while time.monotonic() < begun + seconds:
        if reads:
            read(server)
        time.sleep(1)
    count = client.answered - answered
    return count / (time.monotonic() - begun), 1000 * (server.cpu_seconds() - cpu) / count


def compared(server, client, seconds):
    """Medians without and with a reader, and of the ratios of the pairs."""
    pairs = []
    for i in range(PAIRS):
        order = (True, False) if i % 2 else (False, True)
        pairs.append({reads: stretch(server, client, seconds, reads) for reads in order})
    names = ("requests_per_s", "cpu_ms_per_request")
    return {name: {"without": statistics.median(pair[False][k] for pair in pairs),
                   "with": statistics.median(pair[True][k] for pair in pairs),
                   "ratio": statistics.median(pair[True][k] / pair[False][k] for pair in pairs)} for k, name in enumerate(names)}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default="build/release")
    parser.add_argument("--net", default="resnet50")
    parser.add_argument("--seconds", type=float, default=10, help="of a stretch")
    parser.add_argument("--json")
    args = parser.parse_args()
    directory = Path("build/bench")
    directory.mkdir(parents=True, exist_ok=True)
    rows = models.rows_file(directory, args.net, 0).read_bytes()
    machine.warn_of_load()
    server = Server("relud", ([f"{args.build}/relud"], {}, ["--port"]), models.model_file(directory, args.net), directory)
    try:
        client = Client(server, rows, 4 * models.ends_of(args.net)[0])
        for _ in range(10):
            client.post()
        result = {"machine": machine.machine_line("relud"), "at_rest": readings(server)}
        client.thread.start()
        result["at_work"] = readings(server, 0.1)
        result |= compared(server, client, args.seconds)
        client.stop()
    finally:
        server.stop()
    print(json.dumps(result, indent=2))
    if args.json:
        Path(args.json).write_text(json.dumps(result))


main()
