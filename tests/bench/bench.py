#!/usr/bin/python3
"""bench.py --build DIR: what relud costs beside its peers.

Everything is measured in one run, peers in turn, on inputs that change every time; read the ratios, for
absolute figures belong to one machine and one moment. `make bench` installs the peers and calls this."""
import argparse
import json
import os
import re
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path

import cases
import kernels
import loading
import models
import serve

THREADS = (1, 2)
PARTS = ("kernels", "load", "daemon")
DAEMON_CASES = (("digits", 1), ("digits", 64), ("mlp", 1), ("mlp-z80", 1), ("mlp-z80", 64))
DAEMON_ROWS = {"digits": ("digits", 0), "mlp": ("mlp784", 0), "mlp-z80": ("mlp784", 80)}
QUICK_CASES = (("digits", 1), ("digits", 64), ("mlp-z80", 1), ("mlp-z80", 64))


def read(path, pattern, fallback="?"):
    try:
        found = re.search(pattern, Path(path).read_text(), re.MULTILINE)
    except OSError:
        found = None
    return found[1].strip() if found else fallback


def output(*command):
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def machine_line(libraries):
    cores = len(os.sched_getaffinity(0))
    return (f"{read('/proc/cpuinfo', r'^model name.*?: (.*)$')}, {cores} cores, Linux "
            f"{os.uname().release}, load {os.getloadavg()[0]:.1f}; {libraries}; "
            f"Node {output('node', '--version') or 'none'}; "
            f"{output('wrk', '-v').splitlines()[0].split(' [')[0]}")


def ort_library(node_modules):
    found = sorted(node_modules.glob("onnxruntime-node/bin/napi-v*/linux/*/libonnxruntime.so*"))
    wanted = {"x86_64": "x64", "aarch64": "arm64"}.get(os.uname().machine)
    found = [path for path in found if path.parent.name == wanted]
    if not found:
        raise SystemExit(f"bench: no libonnxruntime.so for {os.uname().machine} in {node_modules}")
    return str(found[0])


# Kernels


def chosen_cases(options):
    """Without a filter the quick mode measures what has a target."""
    some = cases.quick_cases(THREADS) if options.quick and not options.filter else \
        cases.all_cases(THREADS)
    return [case for case in some if not options.filter or re.search(options.filter, case.name)]


def progress(name):
    if sys.stderr.isatty():
        print(f"\r\033[K{name}", end="", file=sys.stderr, flush=True)


def run_kernels(options, program):
    chosen = chosen_cases(options)
    if not chosen:
        names = "\n".join(case.name for case in cases.all_cases(THREADS))
        raise SystemExit(f"bench: no case matches {options.filter}; there are\n{names}")
    results = kernels.run(program, chosen, progress)
    progress("")
    return results


# Daemon


def run_daemon(options, node_modules):
    chosen = QUICK_CASES if options.quick else DAEMON_CASES
    connections = (1, 16) if options.quick else serve.CONNECTIONS
    rounds = options.rounds or (1 if options.quick else 4)
    rows = {name: models.rows_of(*kind) for name, kind in DAEMON_ROWS.items()}
    results, memory = [], {}
    for name, net in (("digits", "digits"), ("mlp", "mlp784")):
        of_model = [case for case in chosen if case[0].startswith(name)]
        some, memory[name] = serve.run_model(options.build / "relud", node_modules, options.dir,
                                             models.model_file(options.dir, net), rows, of_model,
                                             connections, rounds)
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


def parse():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--build", type=Path, required=True, help="where relud was built")
    parser.add_argument("--quick", action="store_true", help="about three minutes, and less exact")
    parser.add_argument("--filter", metavar="REGEX", help="only the kernels' cases whose names match")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all results there, too")
    parser.add_argument("--markdown", action="store_true", help="print Markdown tables")
    parser.add_argument("--only", choices=PARTS, help="one part of it")
    parser.add_argument("--rounds", type=int, help="how often each contender has its turn")
    parser.add_argument("--dir", type=Path, default=models.ROOT / "build" / "bench",
                        help="for files and peers")
    return parser.parse_args()


def main():
    options = parse()
    options.dir.mkdir(parents=True, exist_ok=True)
    node_modules = options.dir / "node_modules"
    if os.getloadavg()[0] > 0.5:
        print(f"bench: the load is {os.getloadavg()[0]:.1f}: other programs are at work, figures will vary",
              file=sys.stderr)
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    tests = options.build / "tests" / "bench"
    program = kernels.Program(tests / "kernels", ort_library(node_modules), options.dir,
                              options.rounds or (10 if options.quick else 24),
                              1500 if options.quick else 6000)
    report = {"when": datetime.now(timezone.utc).isoformat(timespec="seconds"),
              "machine": machine_line(program.about())}
    print(f"\n{report['machine']}\n")
    wanted = (options.only,) if options.only else ("kernels",) if options.filter else PARTS
    if "kernels" in wanted:
        report["kernels"] = run_kernels(options, program)
        kernels.print_results(report["kernels"], options.markdown)
        kernels.print_targets(report["kernels"], options.markdown)
        sys.stdout.flush()
    if "load" in wanted:
        report["calls"] = loading.calls(program, node_modules)
        loading.print_calls(report["calls"])
        report["load"] = loading.loads(program, tests / "load", options.quick)
        loading.print_loads(report["load"], options.markdown)
        sys.stdout.flush()
    if "daemon" in wanted:
        report["daemon"], report["memory"] = run_daemon(options, node_modules)
        print_daemon(report["daemon"], report["memory"])
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
