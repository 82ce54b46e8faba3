#!/usr/bin/python3
"""bench.py --build DIR: what relud costs beside its peers.

Everything is measured in one run, peers in turn, on inputs that change every time; read the ratios, for
absolute figures belong to one machine and one moment. `make bench` installs the peers and calls this."""
import argparse
import json
import os
import re
import sys
from datetime import datetime, timezone
from pathlib import Path

import cases
import kernels
import loading
import models
from machine import machine_line, warn_of_load
from pages import summary

THREADS = (1, 2)
PARTS = ("kernels", "load")


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


def parse():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--build", type=Path, required=True, help="where relud was built")
    parser.add_argument("--quick", action="store_true", help="about three minutes, and less exact")
    parser.add_argument("--filter", metavar="REGEX", help="only the kernels' cases whose names match")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all results there, too")
    parser.add_argument("--markdown", action="store_true", help="print Markdown tables")
    parser.add_argument("--update", action="store_true",
                        help="put the summary into docs/benchmarks.md and its headlines into README.md")
    parser.add_argument("--only", choices=PARTS, help="one part of it")
    parser.add_argument("--rounds", type=int, help="how often each contender has its turn")
    parser.add_argument("--dir", type=Path, default=models.ROOT / "build" / "bench",
                        help="for files and peers")
    return parser.parse_args()


def update_pages(report):
    with summary("bench"):
        print(f"{report['machine']}\n")
        if "kernels" in report:
            kernels.print_targets(report["kernels"], markdown=True)
        if "load" in report:
            loading.print_calls(report["calls"])
            loading.print_loads(report["load"], markdown=True)


def main():
    options = parse()
    options.dir.mkdir(parents=True, exist_ok=True)
    node_modules = options.dir / "node_modules"
    warn_of_load()
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
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n")
    if options.update:
        update_pages(report)


if __name__ == "__main__":
    main()
