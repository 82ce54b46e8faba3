"""The kernels part: the program `kernels`, case by case, and what its figures show."""
import statistics
import subprocess
from dataclasses import dataclass

import numpy as np

import cases
import models
from tables import duration, print_table

ZEROS_OFF = 0.03  # how far the hidden zeros may be from those asked for
LABELS = {"ort": "ORT", "onednn": "oneDNN", "openblas": "OpenBLAS"}


@dataclass(frozen=True)
class Program:
    """The program, libonnxruntime.so, where files are, and how long to measure."""
    path: str
    ort: str
    directory: object
    rounds: int
    budget_ms: int

    def run(self, *arguments):
        result = subprocess.run([self.path, f"ort={self.ort}", *arguments], check=False,
                                stdout=subprocess.PIPE, text=True)
        if result.returncode != 0:
            raise SystemExit(result.returncode)
        return result.stdout

    def about(self):
        return subprocess.run([self.path, "about", f"ort={self.ort}"], check=True,
                              stdout=subprocess.PIPE, text=True).stdout.strip()


def check_zeros(case, zeros):
    """A layer that is not as sparse as its case says would be compared with the wrong target."""
    asked = case.hidden if case.hidden is not None else 50
    if case.net in models.MLPS and any(abs(z - asked / 100) > ZEROS_OFF for z in zeros):
        raise SystemExit(f"bench: {case.name}: zeros of its layers are {zeros}, not {asked} %")


def measure(program, case):
    """{contender: nanoseconds per row of each round}, and the zeros of each layer."""
    lines = program.run(f"model={models.model_file(program.directory, case.net, case.hidden or 50)}",
                        f"inputs={models.rows_file(program.directory, case.net, case.inputs or 0)}",
                        f"rows={case.rows}", f"threads={case.threads}", f"rounds={program.rounds}",
                        f"budget-ms={program.budget_ms}", *case.contenders).splitlines()
    samples = {name: [float(n) for n in numbers] for name, *numbers in map(str.split, lines)}
    zeros = samples.pop("zeros")
    check_zeros(case, zeros)
    return samples, zeros


def ratio(above, below):
    """The median of the ratios within each round, when both ran side by side."""
    return statistics.median(a / b for a, b in zip(above, below))


def result_of(case, samples, zeros):
    full = samples["full"]
    p10 = {who: float(np.percentile(ns, 10)) for who, ns in samples.items()}
    return {"case": case.name, "net": case.net, "rows": case.rows, "threads": case.threads,
            "input_zeros": case.inputs, "hidden_zeros": case.hidden, "layer_zeros": zeros,
            "rounds": len(full),
            "ns_per_row": {who: {"median": statistics.median(ns), "p10": p10[who]}
                           for who, ns in samples.items()},
            "ratio": {who: ratio(samples[who], full) for who in LABELS if who in samples},
            "ratio_p10": {who: p10[who] / p10["full"] for who in LABELS if who in samples},
            "over_full": {who: ratio(samples[who], full) for who in ("off", "counts", "folded")
                          if who in samples},
            "over_off": ratio(full, samples["off"])}


def run(program, chosen, progress):
    results = []
    for case in chosen:
        progress(case.name)
        results.append(result_of(case, *measure(program, case)))
    return results


def number(value, decimals=2):
    return "" if value is None else f"{value:.{decimals}f}"


def zeros_text(result):
    """Measured, of the layers that are counted."""
    zeros = result["layer_zeros"]
    return f"{100 * statistics.mean(zeros):.0f} %" if zeros else ""


def print_results(results, markdown):
    print("Runs in process: time per row, median (p10) of the slices; relud counts at level `full`. "
          "Ratios above 1: relud is faster.\n`off`, `counts`: time at that level beside `full`; "
          "`folded`: `full` with the fold of the counters after every run.\n")
    header = ["case", "zeros", "relud", *LABELS.values(),
              *(f"{label}/relud" for label in LABELS.values()), "off", "counts", "folded"]
    rows = []
    for r in results:
        times = [r["ns_per_row"].get(who) for who in ("full", *LABELS)]
        rows.append([r["case"], zeros_text(r),
                     *(f"{duration(t['median'])} ({duration(t['p10'])})" if t else "" for t in times),
                     *(number(r["ratio"].get(who)) for who in LABELS),
                     *(number(r["over_full"].get(who)) for who in ("off", "counts", "folded"))])
    print_table(header, rows, markdown)


# What it must show


def verdict(value, floor, aim):
    return "missed" if value < floor else "met" if aim is None or value < aim else "met, aim reached"


def print_targets(results, markdown):
    found = {r["case"]: r for r in results}
    rows = []
    for target in cases.TARGETS:
        r = found.get(target.case.name)
        if r:
            value = r["ratio"]["ort"]
            rows.append([target.what, target.case.name, f"{value:.2f}", number(r["ratio_p10"]["ort"]),
                         f"{target.floor:g}", number(target.aim), verdict(value, target.floor, target.aim)])
    if rows:
        print("What it must show: ONNX Runtime's time / relud's, statistics on: the median of the rounds' ratios, "
              "and the ratio of the\ntenth percentiles, which other programs at work disturb less.\n")
        print_table(["what", "case", "measured", "of p10", "at least", "aim", ""], rows, markdown)
    rows = []
    for cost in cases.COSTS:
        r = found.get(cost.case.name)
        if r:
            value = r["over_off"] - 1
            rows.append([cost.case.name, f"{100 * value:+.1f} %", f"{100 * cost.most:.0f} %",
                         "met" if value <= cost.most else "missed"])
    if rows:
        print("Statistics: time at level `full` over that at `off`.\n")
        print_table(["case", "measured", "at most", ""], rows, markdown)

