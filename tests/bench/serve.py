"""The whole daemon against Node.js + onnxruntime-node: requests per second as wrk sees them."""
import json
import os
import re
import statistics
import subprocess
import time
from http.client import HTTPConnection

import numpy as np

BODIES = 64  # different ones, sent in turn
CONNECTIONS = (1, 16, 64)
SERVERS = ("relud", "relud, no stats", "node")
TICKS = os.sysconf("SC_CLK_TCK")
HERE = os.path.dirname(os.path.abspath(__file__))


class Server:
    """A process that says where it listens; its port is free because the kernel picked it."""

    def __init__(self, name, command, directory, env=None):
        self.log = directory / f"{name}.log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                                            env=dict(os.environ, **(env or {})))
        self.host, self.port = self._address()

    def _address(self):
        for _ in range(600):
            found = re.search(r"listening on http://([^:\s]+):(\d+)", self.log.read_text())
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

    def memory(self):
        """Resident now and at most, in MiB."""
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as file:
            kib = dict(re.findall(r"(VmRSS|VmHWM):\s+(\d+) kB", file.read()))
        return {"rss_mib": int(kib["VmRSS"]) / 1024, "peak_mib": int(kib["VmHWM"]) / 1024}


def write_bodies(directory, name, rows, batch):
    """Two files of one body per line, the second one asking for no statistics; returns them and a few
    bodies to look at."""
    texts = []
    for i in range(BODIES):
        at = np.arange(i * batch, (i + 1) * batch) % len(rows)
        some = np.round(rows[at].astype(np.float64), 4) + 0.0
        whole = (some == np.rint(some)).all()
        texts.append(json.dumps({"inputs": (some.astype(int) if whole else some).tolist()},
                                separators=(",", ":")))
    paths = [directory / f"{name}-{batch}.bodies", directory / f"{name}-{batch}-none.bodies"]
    paths[0].write_text("\n".join(texts) + "\n")
    paths[1].write_text("\n".join(t[:-1] + ',"stats":"none"}' for t in texts) + "\n")
    return dict(zip(SERVERS, (paths[0], paths[1], paths[0])))


def post(server, body):
    connection = HTTPConnection(server.host, server.port)
    connection.request("POST", "/infer", body, {"Content-Type": "application/json"})
    reply = connection.getresponse()
    text = reply.read()
    connection.close()
    if reply.status != 200:
        raise SystemExit(f"bench: status {reply.status}: {text[:200]}")
    return json.loads(text)


def check_answers(servers, bodies):
    """All servers must compute the same, relud with statistics unless told otherwise."""
    firsts = {name: path.read_text().split("\n", 4)[:4] for name, path in bodies.items()}
    for i in range(4):
        replies = {name: post(servers[name], firsts[name][i]) for name in SERVERS}
        outputs = {name: np.array(reply["outputs"]) for name, reply in replies.items()}
        for name in SERVERS[1:]:
            if not np.allclose(outputs[name], outputs["relud"], rtol=1e-3, atol=1e-3):
                raise SystemExit(f"bench: {name} computes something else than relud")
        if "stats" not in replies["relud"] or "stats" in replies["relud, no stats"]:
            raise SystemExit("bench: statistics where none were asked for, or none where they were")


def keep_to_last_core():
    """wrk stays on one core, so that the scheduler does not put it beside the server by chance."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, cores[-1:])


def run_wrk(server, bodies, connections):
    """One second of wrk."""
    cpu = server.cpu_seconds()
    command = ["wrk", "-t1", f"-c{connections}", "-d1s", "-s", f"{HERE}/post.lua",
               f"http://{server.host}:{server.port}/infer", "--", str(bodies)]
    result = subprocess.run(command, capture_output=True, text=True, check=False,
                            preexec_fn=keep_to_last_core)
    lines = [line for line in result.stdout.splitlines() if line.startswith("{")]
    if not lines:
        raise SystemExit(f"bench: wrk failed:\n{result.stdout}{result.stderr}")
    seen = json.loads(lines[-1])
    if seen["errors"] or not seen["requests"]:
        raise SystemExit(f"bench: {seen['errors']} errors among {seen['requests']} requests")
    return {"rps": seen["requests"] / seen["seconds"], "p50_us": seen["p50_us"],
            "p99_us": seen["p99_us"],
            "cpu_us": (server.cpu_seconds() - cpu) * 1e6 / seen["requests"]}


def run_cases(servers, cases, connections, rounds):
    """Everybody in turn, in another order every round; {(case, connections, server): [samples]}."""
    samples = {}
    for bodies in cases.values():
        check_answers(servers, bodies)
        for name in ("relud", "node"):
            run_wrk(servers[name], bodies[name], 16)  # to warm up
    for turn in range(rounds):
        order = [SERVERS[(turn + i) % len(SERVERS)] for i in range(len(SERVERS))]
        for case, bodies in cases.items():
            for count in connections:
                for name in order:
                    sample = run_wrk(servers[name], bodies[name], count)
                    samples.setdefault((case, count, name), []).append(sample)
    return samples


def summary(samples):
    """Medians of everything, and the tenth percentile of the requests per second."""
    result = {key: statistics.median(s[key] for s in samples) for key in samples[0]}
    result["rps_p10"] = float(np.percentile([s["rps"] for s in samples], 10))
    return result


def results_of(samples):
    """One entry per case and number of connections; ratios are medians over the rounds, as the servers
    were measured side by side in each."""
    results = []
    for case, count in dict.fromkeys(key[:2] for key in samples):
        of = {name: samples[case, count, name] for name in SERVERS}
        ratios = {name: [a["rps"] / b["rps"] for a, b in zip(of[name], of["node"])]
                  for name in SERVERS[:2]}
        cpu = [b["cpu_us"] / a["cpu_us"] for a, b in zip(of["relud"], of["node"]) if a["cpu_us"]]
        results.append({"model": case[0], "rows": case[1], "connections": count,
                        "servers": {name: summary(of[name]) for name in SERVERS},
                        "ratio": statistics.median(ratios["relud"]),
                        "ratio_p10": float(np.percentile(ratios["relud"], 10)),
                        "ratio_no_stats": statistics.median(ratios["relud, no stats"]),
                        "cpu_ratio": statistics.median(cpu) if cpu else None})
    return results


def run_model(relud, node_modules, directory, path, rows_by_name, cases, connections, rounds):
    """Measures the cases (name, rows per request) of one model; returns results and memory."""
    bodies = {case: write_bodies(directory, case[0], rows_by_name[case[0]], case[1]) for case in cases}
    servers = {}
    try:
        servers["relud"] = Server("relud", [relud, "--port", "0", "--loops", "1", str(path)], directory)
        servers["relud, no stats"] = servers["relud"]
        servers["node"] = Server("node", ["node", f"{HERE}/node_server.js", str(path)], directory,
                                 {"ORT_DISABLE_TELEMETRY": "1", "OMP_NUM_THREADS": "1",
                                  "NODE_PATH": str(node_modules), "NODE_ENV": "production"})
        samples = run_cases(servers, bodies, connections, rounds)
        memory = {name: servers[name].memory() for name in ("relud", "node")}
    finally:
        for name in ("relud", "node"):
            if name in servers:
                servers[name].stop()
    return results_of(samples), memory
