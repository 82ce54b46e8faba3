#!/usr/bin/python3
"""serve.py --build DIR: the whole daemon beside what a user would build instead.

JSON in and out over loopback: relud, onnxruntime-node behind Node's http module, NumPy behind FastAPI.
In turn, on bodies that change. wrk asks as fast as it is answered, openload at a constant rate.
`make bench-serve` installs the peers and calls this."""
import argparse
import json
import statistics
import re
import subprocess
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

import numpy as np

import models
from machine import machine_line, warn_of_load
from pages import summary
from servers import Server, commands, run_sender, run_wrk, start_ms
from tables import print_table

BODIES = 64  # different ones, sent in turn
CONNECTIONS = {1: (1, 16, 64, 256), 64: (1, 16)}  # by rows of a request
NO_STATS = "relud, no stats"  # the server relud, asked for no statistics
RATES = (1000, 2000, 5000, 10000, 20000, 40000, 60000, 80000)
OPEN_CONNECTIONS = 256
SATURATED = 0.98  # a server that answers less than this share of what it is asked is at its limit
STARTS = 5
RSS_MIB, START_MS, IMAGE_MB = 32, 50, 16


@dataclass(frozen=True)
class Case:
    """Rows of a network in one request, and the share of zeros among them in percent."""
    net: str
    rows: int
    zeros: int = 0

    @property
    def name(self):
        return f"{self.net}{f'/x{self.zeros}' if self.net != 'digits' else ''}/b{self.rows}"


DIGITS, SPARSE, DENSE = Case("digits", 1), Case("mlp784", 1, 80), Case("mlp784", 1, 0)
CASES = (DIGITS, Case("digits", 64), SPARSE, DENSE, Case("mlp784", 64, 80), Case("mlp784", 64, 0))


@dataclass(frozen=True)
class Target:
    """A server's figure beside another's, at so many connections: how many times better at least."""
    case: Case
    connections: int
    server: str
    floor: float
    figure: str = "rps"
    peer: str = "node"


TARGETS = (
    *(Target(DIGITS, connections, server, floor) for connections in (16, 64)
      for server, floor in (("relud", 5), (NO_STATS, 6), ("relud, 2 loops", 6))),
    Target(DIGITS, 64, "relud", 10, "p99_us"),
    Target(DIGITS, 64, "relud, 2 loops", 1, "cpu_us", "relud"),
    Target(SPARSE, 64, "relud", 7), Target(SPARSE, 64, "relud, 2 loops", 11),
    Target(DENSE, 64, "relud", 5),
    Target(Case("mlp784", 64, 0), 16, "relud", 3.5), Target(Case("mlp784", 64, 0), 16, "relud, 2 loops", 6.5),
    Target(Case("mlp784", 64, 80), 16, "relud", 2.5), Target(Case("mlp784", 64, 80), 16, "relud, 2 loops", 5))


def write_bodies(directory, case):
    """Files of one body per line, the second one asking for no statistics."""
    rows, texts = models.rows_of(case.net, case.zeros), []
    for i in range(BODIES):
        at = np.arange(i * case.rows, (i + 1) * case.rows) % len(rows)
        some = np.round(rows[at].astype(np.float64), 4) + 0.0
        whole = (some == np.rint(some)).all()
        texts.append(json.dumps({"inputs": (some.astype(int) if whole else some).tolist()},
                                separators=(",", ":")))
    name = case.name.replace("/", "-")
    plain, silent = (directory / f"{name}{kind}.bodies" for kind in ("", "-none"))
    plain.write_text("\n".join(texts) + "\n")
    silent.write_text("\n".join(f'{text[:-1]},"stats":"none"}}' for text in texts) + "\n")
    return plain, silent


def first_bodies(path, count=4):
    with open(path, encoding="ascii") as file:
        return [next(file).rstrip("\n") for _ in range(count)]


def check_answers(servers, bodies):
    """All servers must compute the same, relud with statistics unless told otherwise."""
    for plain, silent in zip(*map(first_bodies, bodies)):
        replies = {name: server.post(silent if name == NO_STATS else plain)
                   for name, server in servers.items()}
        expected = np.array(replies["node"]["outputs"])
        for name, reply in replies.items():
            if not np.allclose(np.array(reply["outputs"]), expected, rtol=1e-3, atol=1e-3):
                raise SystemExit(f"bench: {name} computes something else than node")
        if "stats" not in replies["relud"] or "stats" in replies[NO_STATS]:
            raise SystemExit("bench: statistics where none were asked for, or none where they were")


def run_cases(servers, bodies, connections, rounds):
    """Everybody in turn, in another order every round; {(case, connections): {server: [samples]}}."""
    samples, names = {}, list(servers)
    for of_case in bodies.values():
        check_answers(servers, of_case)
    for name in names:
        run_wrk(servers[name], next(iter(bodies.values()))[0], 16)  # to warm up
    for turn in range(rounds):
        order = [names[(turn + i) % len(names)] for i in range(len(names))]
        for case, (plain, silent) in bodies.items():
            for count in connections[case]:
                for name in order:
                    sample = run_wrk(servers[name], silent if name == NO_STATS else plain, count)
                    samples.setdefault((case, count), {}).setdefault(name, []).append(sample)
    return samples


def ratio(of, server, peer, figure):
    """How many times better server is than peer: the median over the rounds, as they ran side by
    side in each. None where the processor time was too short to be seen."""
    pairs = [(a[figure], b[figure]) for a, b in zip(of[server], of[peer])]
    if any(not a or not b for a, b in pairs):
        return None
    return statistics.median(a / b if figure == "rps" else b / a for a, b in pairs)


def results_of(samples):
    return [{"case": case.name, "connections": count,
             "servers": {name: {key: statistics.median(s[key] for s in some) for key in some[0]}
                         for name, some in of.items()},
             "over_node": {name: ratio(of, name, "node", "rps") for name in of},
             "cpu_over_node": {name: ratio(of, name, "node", "cpu_us") for name in of}}
            for (case, count), of in samples.items()]


def verdicts_of(samples):
    """Every target that was measured, with what was found."""
    found = []
    for target in TARGETS:
        of = samples.get((target.case, target.connections))
        value = of and ratio(of, target.server, target.peer, target.figure)
        if value is not None:
            found.append({"case": target.case.name, "connections": target.connections,
                          "what": f"{target.server} / {target.peer}: {target.figure}",
                          "ratio": value, "at_least": target.floor, "met": value >= target.floor})
    return found


# Open loop


def run_open(program, servers, bodies):
    """Latency by rate, each server up to the first rate it cannot keep up with."""
    curve, over = [], set()
    for rate in RATES:
        for name in [name for name in servers if name not in over and name != NO_STATS]:
            seen = run_sender([str(program), servers[name].host, str(servers[name].port), str(bodies),
                               str(OPEN_CONNECTIONS), str(rate), "2"])
            curve.append({"rate": rate, "server": name, **seen})
            if seen["rps"] < SATURATED * rate:
                over.add(name)
    return curve


# Everything of one model


def run_net(options, node_modules, net, chosen, report):
    known = commands(options.build / "relud", node_modules)
    model = models.model_file(options.dir, net)
    cases = [case for case in chosen if case.net == net]
    bodies = {case: write_bodies(options.dir, case) for case in cases}
    servers = {}
    try:
        for name, command in known.items():
            servers[name] = Server(name, command, model, options.dir)
            servers[name].wait(first_bodies(bodies[cases[0]][0], 1)[0])
        servers[NO_STATS] = servers["relud"]
        samples = run_cases(servers, bodies, chosen, options.rounds)
        report["results"] += results_of(samples)
        report["targets"] += verdicts_of(samples)
        if net == "digits":
            report["rss_mib"] = {name: max(s["rss_mib"] for s in some)
                                 for name, some in samples[DIGITS, 64].items()}
            report["open_loop"] = run_open(options.build / "tests/bench/openload", servers,
                                           bodies[DIGITS][0])
    finally:
        for name in known:
            if name in servers:
                servers[name].stop()


def starts(options, node_modules):
    """Median milliseconds to the first answer."""
    body = (models.DIGITS / "examples" / "one.json").read_text()
    model = models.model_file(options.dir, "digits")
    return {name: statistics.median(start_ms(name, command, model, options.dir, body)
                                    for _ in range(STARTS))
            for name, command in commands(options.build / "relud", node_modules).items()}


def image_bytes():
    """Of the image relud:latest, when there is an engine and it has been built."""
    try:
        size = subprocess.run(["docker", "image", "inspect", "--format", "{{.Size}}", "relud"],
                              capture_output=True, text=True, check=False).stdout.strip()
    except OSError:
        return None
    return int(size) if size.isdigit() else None


# Tables


def print_results(results, markdown):
    print("Requests per second, p50 and p99 in microseconds, processor microseconds per request: medians of the "
          "rounds.\n`x node`: how many times as many requests per second, and as little processor time, as Node: "
          "median of the rounds' ratios.\n")
    rows = []
    for r in results:
        for name, s in r["servers"].items():
            rows.append([r["case"], str(r["connections"]), name, f"{s['rps']:.0f}", f"{s['p50_us']:.0f}",
                         f"{s['p99_us']:.0f}", f"{s['cpu_us']:.1f}", f"{s['rss_mib']:.0f}",
                         f"{r['over_node'][name]:.2f}", f"{r['cpu_over_node'][name] or 0:.2f}"])
    print_table(["case", "connections", "server", "requests/s", "p50", "p99", "CPU", "MiB", "x node",
                 "CPU, x node"], rows, markdown)


def print_open(curve, markdown):
    if not curve:
        return
    print(f"Constant rate over {OPEN_CONNECTIONS} connections, digits/b1: microseconds from when a request was "
          "due.\n")
    rows = [[str(c["rate"]), c["server"], f"{c['rps']:.0f}", *(f"{c[p]:.0f}" for p in
             ("p50_us", "p90_us", "p99_us", "p999_us")), str(c["unanswered"])] for c in curve]
    print_table(["rate", "server", "answered/s", "p50", "p90", "p99", "p99.9", "unanswered"], rows, markdown)


def limits(report):
    """(what, found, at most), found None where it was not measured."""
    image = report["image_bytes"]
    return (("MiB resident, digits, 64 connections", report["rss_mib"].get("relud"), RSS_MIB),
            ("ms from start to first answer", report["start_ms"]["relud"], START_MS),
            ("MB of the image", image and image / 1e6, IMAGE_MB))


def print_targets(report, markdown):
    print("What it must show.\n")
    rows = [[t["case"], f"{t['connections']} connections", t["what"], f"{t['ratio']:.2f}",
             f">= {t['at_least']:g}", "met" if t["met"] else "missed"] for t in report["targets"]]
    for what, found, most in limits(report):
        rows.append(["relud", "", what, "not measured" if found is None else f"{found:.1f}", f"<= {most}",
                     "" if found is None else "met" if found <= most else "missed"])
    print_table(["case", "at", "what", "measured", "target", ""], rows, markdown)
    others = ", ".join(f"{name} {ms:.0f} ms" for name, ms in report["start_ms"].items())
    print(f"From start to first answer: {others}.\n")


def parse():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--build", type=Path, required=True, help="where relud was built")
    parser.add_argument("--quick", action="store_true", help="only what has a target, two rounds")
    parser.add_argument("--filter", metavar="REGEX", default="", help="only cases whose names match")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all results there, too")
    parser.add_argument("--markdown", action="store_true", help="print Markdown tables")
    parser.add_argument("--update", action="store_true",
                        help="put the summary into docs/benchmarks.md and its headlines into README.md")
    parser.add_argument("--rounds", type=int, help="how often each server has its turn")
    parser.add_argument("--dir", type=Path, default=models.ROOT / "build" / "bench",
                        help="for files and peers")
    options = parser.parse_args()
    options.rounds = options.rounds or (2 if options.quick else 4)
    return options


def chosen_cases(options):
    """{case: numbers of connections}"""
    chosen = {}
    for case in CASES:
        counts = sorted({t.connections for t in TARGETS if t.case == case}) \
            if options.quick else CONNECTIONS[case.rows]
        if counts and re.search(options.filter, case.name):
            chosen[case] = counts
    if not chosen:
        raise SystemExit(f"bench: no case matches {options.filter}")
    return chosen


def main():
    options = parse()
    warn_of_load()
    node_modules = options.dir / "node_modules"
    chosen = chosen_cases(options)
    report = {"when": datetime.now(timezone.utc).isoformat(timespec="seconds"),
              "machine": machine_line("relud"), "results": [], "targets": [], "rss_mib": {},
              "open_loop": []}
    print(f"\n{report['machine']}\n")
    for net in dict.fromkeys(case.net for case in chosen):
        run_net(options, node_modules, net, chosen, report)
    report["start_ms"], report["image_bytes"] = starts(options, node_modules), image_bytes()
    print_results(report["results"], options.markdown)
    print_open(report["open_loop"], options.markdown)
    print_targets(report, options.markdown)
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n")
    if options.update:
        with summary("bench-serve"):
            print(f"{report['machine']}\n")
            print_targets(report, markdown=True)
            print_open(report["open_loop"], markdown=True)


if __name__ == "__main__":
    main()
