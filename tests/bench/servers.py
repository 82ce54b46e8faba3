"""The servers that are compared, as processes; and what wrk and openload see of them."""
import json
import os
import re
import socket
import subprocess
import time
from http.client import HTTPConnection, HTTPException
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
HERE = Path(__file__).resolve().parent
LISTENING = re.compile(r"(?:listening|running) on http://([^:\s]+):(\d+)")


def commands(relud, node_modules):
    """{name: (command without model and port, environment, how the port is given)}; servers that are
    not installed are left out. Peers compute on one thread, as relud's loops do."""
    core = "SkylakeX" if "avx512f" in Path("/proc/cpuinfo").read_text() else "Haswell"
    node = {"ORT_DISABLE_TELEMETRY": "1", "OMP_NUM_THREADS": "1", "NODE_PATH": str(node_modules),
            "NODE_ENV": "production"}
    fastapi = {"OPENBLAS_NUM_THREADS": "1", "OPENBLAS_CORETYPE": core}
    every = {"relud": ([str(relud), "--loops", "1"], {}, ["--port"]),
             "relud, 2 loops": ([str(relud), "--loops", "2"], {}, ["--port"]),
             "node": (["node", str(HERE / "node_server.js")], node, []),
             "fastapi": (["/usr/bin/python3", str(HERE / "fastapi_server.py")], fastapi, [])}
    if subprocess.run(["/usr/bin/python3", "-c", "import fastapi, uvicorn, uvloop, httptools"],
                      capture_output=True, check=False).returncode != 0:
        del every["fastapi"]
    return every


class Server:
    """A process that says where it listens; its port is free because the kernel picked it."""

    def __init__(self, name, command, model, directory, port=0):
        arguments, environment, port_option = command
        self.log = directory / f"{name.replace(', ', '-').replace(' ', '-')}.log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen([*arguments, str(model), *port_option, str(port)],
                                            stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                                            env={**os.environ, **environment})
        self.host, self.port = ("127.0.0.1", port) if port else self._address()

    def _address(self):
        for _ in range(600):
            found = LISTENING.search(self.log.read_text())
            if found:
                return found[1], int(found[2])
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        self.stop()
        raise SystemExit(f"bench: {self.process.args[0]} does not serve:\n{self.log.read_text()}")

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def cpu_seconds(self):
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def rss_mib(self):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as file:
            return int(re.search(r"VmRSS:\s+(\d+) kB", file.read())[1]) / 1024

    def post(self, body):
        """The answer; ConnectionRefusedError while the server is still loading its model."""
        connection = HTTPConnection(self.host, self.port)
        connection.request("POST", "/infer", body, {"Content-Type": "application/json"})
        reply = connection.getresponse()
        text = reply.read()
        connection.close()
        if reply.status == 503:
            raise ConnectionRefusedError(text)
        if reply.status != 200:
            raise SystemExit(f"bench: status {reply.status}: {text[:200]}")
        return json.loads(text)

    def wait(self, body):
        """Until it answers."""
        end = time.monotonic() + 60
        while time.monotonic() < end:
            try:
                self.post(body)
                return
            except (OSError, HTTPException):
                time.sleep(0.001)
        raise SystemExit(f"bench: {self.process.args[0]} gave no answer within a minute")


def keep_to_last_core():
    """Who sends stays on one core, so that the scheduler does not put it beside the server by
    chance."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, cores[-1:])


def run_sender(command):
    """What the sender found, the last line of JSON it printed."""
    result = subprocess.run(command, capture_output=True, text=True, check=False,
                            preexec_fn=keep_to_last_core)
    lines = [line for line in result.stdout.splitlines() if line.startswith("{")]
    if not lines:
        raise SystemExit(f"bench: {command[0]} failed:\n{result.stdout}{result.stderr}")
    return json.loads(lines[-1])


def run_wrk(server, bodies, connections, seconds=1):
    """So long of wrk; four times as long when no request was answered by then."""
    cpu = server.cpu_seconds()
    seen = run_sender(["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "-s", str(HERE / "post.lua"),
                       f"http://{server.host}:{server.port}/infer", "--", str(bodies)])
    if seen["errors"]:
        raise SystemExit(f"bench: {seen['errors']} errors among {seen['requests']} requests")
    if not seen["requests"]:
        if seconds > 60:
            raise SystemExit(f"bench: no answer from {server.process.args[0]} in {seconds} seconds")
        return run_wrk(server, bodies, connections, 4 * seconds)
    return {"rps": seen["requests"] / seen["seconds"], "p50_us": seen["p50_us"],
            "p99_us": seen["p99_us"], "rss_mib": server.rss_mib(),
            "cpu_us": (server.cpu_seconds() - cpu) * 1e6 / seen["requests"]}


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def start_ms(name, command, model, directory, body):
    """Milliseconds from starting the process to its first answer."""
    begun = time.monotonic()
    server = Server(name, command, model, directory, free_port())
    try:
        server.wait(body)
        return 1000 * (time.monotonic() - begun)
    finally:
        server.stop()
