"""The pages that show what was measured: docs/benchmarks.md has the summaries, README.md picks its headlines from there."""
import contextlib
import io
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
README, SUMMARIES = ROOT / "README.md", ROOT / "docs" / "benchmarks.md"
ORT, NODE = "ONNX Runtime, in one process, one thread", "Node + onnxruntime-node, requests/s over HTTP"

# What relud is measured beside, on what, and the cells that stand before the figure in docs/benchmarks.md.
HEADLINES = (
    (ORT, "digits, batch 1", ("digits, batch 1", "digits/b1/t1")),
    (ORT, "digits, batch 64", ("digits, batch 64", "digits/b64/t1")),
    (ORT, "784-512-512-10, batch 1, 80 % of the inputs and 90 % of the hidden outputs 0",
     ("same, input zeros 80 %, hidden zeros 90 %", "mlp784/x80/h90/b1/t1")),
    (ORT, "ResNet-50, batch 1", ("ResNet-50, batch 1, 1 thread", "resnet50/b1/t1")),
    (NODE, "digits, a row in a request", ("digits/b1", "16 connections", "relud / node: rps")),
    (NODE, "784-512-512-10, 64 rows in a request", ("mlp784/x0/b64", "16 connections", "relud / node: rps")),
)


def with_part(page, name, text):
    """The page with text between its lines <!-- name --> and <!-- /name -->."""
    parts = re.split(rf"(?<=<!-- {name} -->\n).*(?=<!-- /{name} -->)", page, flags=re.DOTALL)
    if len(parts) != 2:
        raise SystemExit(f"the page has no place for {name}")
    return f"{parts[0]}\n{text.strip()}\n\n{parts[1]}"


def with_headlines(readme, summaries):
    rows = [line.strip("| ").split(" | ") for line in summaries.splitlines() if line.startswith("|")]
    lines = ["| beside | on | times as fast |", "| --- | --- | ---: |"]
    for beside, what, key in HEADLINES:
        found = [row[len(key)] for row in rows if tuple(row[:len(key)]) == key]
        if len(found) != 1:
            raise SystemExit(f"{SUMMARIES} should have one row that begins with {key}, it has {len(found)}")
        lines.append(f"| {beside} | {what} | {found[0]} |")
    return with_part(readme, "headlines", "\n".join(lines))


@contextlib.contextmanager
def summary(name):
    """What is printed meanwhile becomes the part `name` of docs/benchmarks.md; README.md follows."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        yield
    SUMMARIES.write_text(with_part(SUMMARIES.read_text(), name, printed.getvalue()))
    README.write_text(with_headlines(README.read_text(), SUMMARIES.read_text()))
