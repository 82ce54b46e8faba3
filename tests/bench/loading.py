"""What a call costs that computes nothing, and what it takes until a model runs."""
import os
import statistics
import subprocess
from pathlib import Path

import models
from cases import Case
from kernels import measure, ratio
from tables import duration, print_table

NETS = ("digits", "mlp784", "mlp4096", "resnet50")
QUICK_NETS = ("digits", "resnet50")


def calls(program, node_modules):
    """Nanoseconds for a model that returns the one number it takes."""
    samples, _ = measure(program, Case("identity", 1))
    script = Path(__file__).with_name("node_call.js")
    model = models.model_file(program.directory, "identity")
    lines = subprocess.run(["node", script, model], check=True, stdout=subprocess.PIPE, text=True,
                           env={**os.environ, "NODE_PATH": str(node_modules)}).stdout.split()
    return {"relud_ns": statistics.median(samples["full"]), "ort_ns": statistics.median(samples["ort"]),
            "node_ns": 1000 * statistics.median(map(float, lines))}


def print_calls(result):
    times = {who: duration(result[f"{who}_ns"]) for who in ("relud", "ort", "node")}
    print(f"A call that returns the one number it takes: relud {times['relud']}, ONNX Runtime {times['ort']} "
          f"through its C interface, {times['node']} through onnxruntime-node.\n")


def load(program, loader, net):
    arguments = [str(models.model_file(program.directory, net)), *map(str, models.ends_of(net)),
                 program.ort]
    lines = subprocess.run([loader, *arguments], check=True, stdout=subprocess.PIPE,
                           text=True).stdout.splitlines()
    numbers = {}
    for kind, *fields in map(str.split, lines):
        numbers[kind, fields[0]] = [float(n) for n in fields[1:]]
        if kind == "needed":
            needed = float(fields[0])
    times = {who: numbers["time", who] for who in ("relud", "ort", "copy")}
    return {"net": net, "ms": {who: statistics.median(ms) for who, ms in times.items()},
            "ort_over_relud": ratio(times["ort"], times["relud"]),
            "over_copy": ratio(times["relud"], times["copy"]),
            "peak_bytes": {who: numbers["peak", who][0] for who in ("relud", "ort")},
            "needed_bytes": needed}


def loads(program, loader, quick):
    return [load(program, loader, net) for net in (QUICK_NETS if quick else NETS)]


def print_loads(results, markdown):
    print("From an ONNX file to the first row's answer, relud with hashing the file; and the memory resident "
          "at most,\nof a process that does nothing else. `copy` reads the file and copies it once in memory.\n")
    header = ["model", "relud", "ORT", "copy", "ORT/relud", "relud/copy", "relud peak", "ORT peak",
              "ORT/relud", "relud peak/weights and plan"]
    rows = [[r["net"], *(duration(1e6 * r["ms"][who]) for who in ("relud", "ort", "copy")),
             f"{r['ort_over_relud']:.2f}", f"{r['over_copy']:.2f}",
             *(f"{r['peak_bytes'][who] / 1e6:.0f} MB" for who in ("relud", "ort")),
             f"{r['peak_bytes']['ort'] / r['peak_bytes']['relud']:.1f}",
             f"{r['peak_bytes']['relud'] / r['needed_bytes']:.2f}"] for r in results]
    print_table(header, rows, markdown)
