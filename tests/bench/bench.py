#!/usr/bin/python3
"""bench.py [--quick] [--json FILE] [--only kernels|daemon|load] --build DIR: what relud costs beside its peers.

Everything is measured in one run, peers in turn, on inputs that change every time; read the ratios, for
absolute figures belong to one machine and one moment. `make bench` installs the peers and calls this."""
import argparse
import json
import os
import re
import statistics
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path

import numpy as np

import serve
from prepare import prepare, prepare_resnet50

ROOT = Path(__file__).resolve().parents[2]
DIGITS = ROOT / "models" / "digits"
PEERS = ("onednn", "openblas")
COUNTING = ("counts", "full")
DAEMON_CASES = (("digits", 1), ("digits", 64), ("mlp", 1), ("mlp-z80", 1), ("mlp-z80", 64))
QUICK_CASES = (("digits", 1), ("digits", 64), ("mlp-z80", 1), ("mlp-z80", 64))


def read(path, pattern, fallback="?"):
    try:
        found = re.search(pattern, Path(path).read_text(), re.MULTILINE)
    except OSError:
        found = None
    return found[1].strip() if found else fallback


def output(*command):
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def machine_line(libraries, node_modules):
    cores = len(os.sched_getaffinity(0))
    ort = json.loads((node_modules / "onnxruntime-node" / "package.json").read_text())["version"] \
        if node_modules.exists() else "none"
    return (f"{read('/proc/cpuinfo', r'^model name.*?: (.*)$')}, {cores} cores, Linux "
            f"{os.uname().release}, load {os.getloadavg()[0]:.1f}; {libraries}; "
            f"Node {output('node', '--version') or 'none'} + onnxruntime-node {ort}; "
            f"{output('wrk', '-v').splitlines()[0].split(' [')[0]}")


# Kernels


def run_kernels(program, directory, rounds):
    """The libraries' line and {(case, rows): {contender: nanoseconds per row of each round}}."""
    mlp = str(directory / "mlp.onnx")
    cases = [("digits", str(DIGITS / "model.onnx")), ("mlp", mlp), ("mlp-z80", mlp)]
    arguments = [part for name, model in cases
                 for part in (name, model, str(directory / f"{name}.f32"))]
    result = subprocess.run([program, str(rounds), "3000", *arguments], check=False,
                            stdout=subprocess.PIPE, text=True)
    if result.returncode != 0:
        raise SystemExit(result.returncode)
    samples, libraries = {}, ""
    for line in result.stdout.splitlines():
        if line.startswith("machine "):
            libraries = line[len("machine "):]
            continue
        name, rows, contender, *numbers = line.split()
        samples.setdefault((name, int(rows)), {})[contender] = [float(n) for n in numbers]
    return libraries, samples


def ratio(above, below):
    """The median of the ratios within each round, when both ran side by side."""
    return statistics.median(a / b for a, b in zip(above, below))


def kernel_results(samples):
    return [{"model": name, "rows": rows,
             "ns_per_row": {who: {"median": statistics.median(ns), "p10": float(np.percentile(ns, 10))}
                            for who, ns in of.items()},
             "ratio": {peer: ratio(of[peer], of["full"]) for peer in PEERS},
             "over_off": {level: ratio(of[level], of["off"]) for level in COUNTING}}
            for (name, rows), of in samples.items()]


def print_kernels(results):
    print("Kernels, one thread: nanoseconds per row, median (p10). relud counts at level full. Ratios above 1:\n"
          "relud is faster. Cost of counting over level off: counts, full.\n")
    print(f"{'case':<9}{'rows':>4}  {'relud':>17} {'oneDNN':>17} {'OpenBLAS':>17} "
          f"{'oneDNN/relud':>13} {'OpenBLAS/relud':>15}  {'counts':>7} {'full':>7}")
    for r in results:
        times = " ".join(f"{r['ns_per_row'][who]['median']:>8.0f} ({r['ns_per_row'][who]['p10']:>6.0f})"
                         for who in ("full", *PEERS))
        print(f"{r['model']:<9}{r['rows']:>4}  {times} {r['ratio']['onednn']:>12.2f}x "
              f"{r['ratio']['openblas']:>14.2f}x  "
              + " ".join(f"{100 * (r['over_off'][level] - 1):>+6.1f}%" for level in COUNTING))
    print()


# Daemon


def run_daemon(options, directory, node_modules, rows, rounds):
    cases = QUICK_CASES if options.quick else DAEMON_CASES
    connections = (1, 16) if options.quick else serve.CONNECTIONS
    results, memory = [], {}
    for name, path in (("digits", DIGITS / "model.onnx"), ("mlp", directory / "mlp.onnx")):
        of_model = [case for case in cases if case[0].startswith(name)]
        some, memory[name] = serve.run_model(options.build / "relud", node_modules, directory, path,
                                             rows, of_model, connections, rounds)
        results += some
    return results, memory


def print_daemon(results, memory):
    print("Daemon, JSON in and out over loopback, one loop against one Node process: requests per second,\n"
          "p50 and p99 in microseconds, CPU microseconds per request. Ratios of requests per second: median (p10)\n"
          "over the rounds, with and without statistics in relud's replies; then of CPU time per request.\n")
    print(f"{'case':<9}{'rows':>4}{'conns':>6}  {'relud, stats in every reply':>32}  "
          f"{'Node + ONNX Runtime':>32}  {'relud/Node':>15} {'no stats':>9} {'CPU':>6}")
    for r in results:
        texts = []
        for name in ("relud", "node"):
            s = r["servers"][name]
            texts.append(f"{s['rps']:>8.0f} {s['p50_us']:>7.0f} {s['p99_us']:>7.0f} {s['cpu_us']:>7.1f}")
        print(f"{r['model']:<9}{r['rows']:>4}{r['connections']:>6}  {texts[0]}  {texts[1]}  "
              f"{r['ratio']:>6.1f}x ({r['ratio_p10']:>4.1f}x) {r['ratio_no_stats']:>8.1f}x "
              f"{r['cpu_ratio'] or float('nan'):>5.1f}x")
    print()
    for model, of in memory.items():
        print(f"Resident after the run, {model}: relud {of['relud']['rss_mib']:.0f} MiB "
              f"(peak {of['relud']['peak_mib']:.0f}), Node {of['node']['rss_mib']:.0f} MiB "
              f"(peak {of['node']['peak_mib']:.0f}); {of['node']['rss_mib'] / of['relud']['rss_mib']:.1f}x")


# Load


def run_load(program, model):
    result = subprocess.run([program, model], check=True, capture_output=True, text=True)
    lines = {name: [float(n) for n in numbers]
             for name, *numbers in map(str.split, result.stdout.splitlines())}
    (opened, copied, time), (peak, needed) = lines["time"], lines["memory"]
    return {"opened_ms": opened, "copied_ms": copied, "time_ratio": time,
            "peak_bytes": peak, "needed_bytes": needed, "memory_ratio": peak / needed}


def print_load(r):
    print(f"Opening ResNet-50: {r['opened_ms']:.0f} ms, {r['time_ratio']:.2f}x reading and copying its file "
          f"({r['copied_ms']:.0f} ms); {r['peak_bytes'] / 1e6:.0f} MB resident at most, "
          f"{r['memory_ratio']:.2f}x its weights and plan.\n")


def parse():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--build", type=Path, required=True, help="where relud was built")
    parser.add_argument("--quick", action="store_true", help="less than a minute, and less exact")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all results there, too")
    parser.add_argument("--only", choices=("kernels", "daemon", "load"), help="one part of it")
    parser.add_argument("--rounds", type=int, help="rounds of the daemon part")
    parser.add_argument("--dir", type=Path, default=ROOT / "build" / "bench", help="for files and peers")
    return parser.parse_args()


def main():
    options = parse()
    options.dir.mkdir(parents=True, exist_ok=True)
    node_modules = options.dir / "node_modules"
    rows, zeros = prepare(options.dir, DIGITS / "digits.csv")
    if os.getloadavg()[0] > 0.5:
        print(f"bench: the load is {os.getloadavg()[0]:.1f}: other programs are at work, figures will vary",
              file=sys.stderr)
    report = {"when": datetime.now(timezone.utc).isoformat(timespec="seconds")}
    wanted = (options.only,) if options.only else ("kernels", "load", "daemon")
    kernel_rounds = 0 if "kernels" not in wanted else 8 if options.quick else 40
    libraries, samples = run_kernels(options.build / "tests" / "bench" / "kernels", options.dir,
                                     kernel_rounds or 1)
    report["machine"] = machine_line(libraries, node_modules)
    print(f"\n{report['machine']}\n\nmlp is 784-512-512-10 with {zeros['mlp']:.0%} zeros among its hidden "
          f"outputs; the inputs of mlp are dense, {1 - (rows['mlp-z80'] != 0).mean():.0%} of those of mlp-z80 "
          "are zero.\n")
    if "kernels" in wanted:
        report["kernels"] = kernel_results(samples)
        print_kernels(report["kernels"])
        sys.stdout.flush()
    if "load" in wanted:
        report["load"] = run_load(options.build / "tests" / "bench" / "load", prepare_resnet50(options.dir))
        print_load(report["load"])
        sys.stdout.flush()
    if "daemon" in wanted:
        rounds = options.rounds or (1 if options.quick else 4)
        report["daemon"], report["memory"] = run_daemon(options, options.dir, node_modules, rows, rounds)
        print_daemon(report["daemon"], report["memory"])
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
