#!/usr/bin/env python3
"""Trains the two example networks of relud and writes every generated file of this directory.

    train.py [OUTDIR]        (default: the directory of this script)

Both networks are the same MLP (64-128-64-10, ReLU), start from the same weights, see the same rows in
the same order, and are trained by the same plain SGD. They differ in one number, the learning rate:
at 0.1 nearly all hidden units live, at 0.6 more than a third of them die on the way.

Needs Debian's python3-numpy, python3-sklearn and python3-onnx.
"""
import json
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from sklearn.datasets import load_digits

SIZES = (64, 128, 64, 10)
PIXEL_MAX = 16
EPOCHS = 40
BATCH = 16
TEST_EVERY = 5  # rows 0, 5, 10, … are held out: 360 for the test, 1,437 for training

# How seed and high rate were found: seeds 1, 2, 3, … and for each the rates 0.50, 0.55, … 0.75 (below,
# few units die; above, most do and the network with them), until between 33 and 40 % of the hidden
# units were dead, some of them in either layer. Seed 4 at 0.6 was the first pair. The accuracy took
# no part in the choice.
SEED = 4

# Seven held-out rows, labelled 8 3 2 0 3 6 1, which both networks must answer rightly; the first
# stretch of the test that does not just alternate between 0 and 5.
EXAMPLES = slice(40, 75, TEST_EVERY)

# After every step the weights are rounded to a multiple of 2^-20. Training is chaotic at a high rate,
# and BLAS libraries differ in the last bit of a sum: the rounding takes such differences away before
# they grow, so that other machines get the same networks. And float32 holds these numbers exactly.
GRID = 2.0**20

# A unit counts as dead or alive only if its largest pre-activation is at least this far from zero;
# then the rounding of float32 arithmetic, whatever its order, does not change the count.
MARGIN = 1e-3

CONFIG = """\
{
  "inputs":  { "pixels": { "min": 0, "max": 16 } },
  "outputs": { "scores": { "labels": ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"] } }
}
"""


class Recipe(NamedTuple):
    """One network: what it is called, how it is trained, what is promised of it."""

    name: str
    rate: float
    accuracy_min: float
    dead_min: float
    dead_max: float


RECIPES = (
    Recipe("digits", rate=0.1, accuracy_min=0.96, dead_min=0.0, dead_max=0.05),
    Recipe("digits-dying", rate=0.6, accuracy_min=0.96, dead_min=0.33, dead_max=0.40),
)


def load():
    """Pixels 0..16 [1797, 64], labels [1797], and which rows are held out [1797]."""
    pixels, labels = load_digits(return_X_y=True)
    return pixels, labels, np.arange(len(labels)) % TEST_EVERY == 0


def on_grid(x):
    return np.rint(x * GRID) / GRID


def initial_layers(random):
    """He's initialisation; layers are pairs (weight [out, in], bias [out])."""
    return [
        (on_grid(random.standard_normal((m, k)) * np.sqrt(2 / k)), np.zeros(m))
        for k, m in zip(SIZES, SIZES[1:])
    ]


def forward(layers, x):
    """The pre-activations of every layer and the inputs of every layer."""
    pre, inputs = [], []
    for weight, bias in layers:
        inputs.append(x)
        pre.append(x @ weight.T + bias)
        x = np.maximum(pre[-1], 0)
    return pre, inputs


def softmax(scores):
    e = np.exp(scores - scores.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def sgd_step(layers, x, onehot, rate):
    """The layers after one step down the gradient of the mean cross-entropy."""
    pre, inputs = forward(layers, x)
    delta = (softmax(pre[-1]) - onehot) / len(x)
    after = []
    for i in reversed(range(len(layers))):
        weight, bias = layers[i]
        after.append((on_grid(weight - rate * delta.T @ inputs[i]),
                      on_grid(bias - rate * delta.sum(axis=0))))
        if i > 0:
            delta = delta @ weight * (pre[i - 1] > 0)
    return after[::-1]


def train(x, labels, rate):
    # RandomState, not default_rng: NumPy promises that its stream never changes.
    random = np.random.RandomState(SEED)
    layers = initial_layers(random)
    onehot = np.eye(SIZES[-1])[labels]
    for _ in range(EPOCHS):
        order = random.permutation(len(x))
        for start in range(0, len(x), BATCH):
            rows = order[start:start + BATCH]
            layers = sgd_step(layers, x[rows], onehot[rows], rate)
    return layers


def for_raw_pixels(layers):
    """Training sees pixels / 16, the served network raw ones. A power of two: nothing is rounded."""
    (weight, bias), *rest = layers
    return [(weight / PIXEL_MAX, bias), *rest]


def as_float32(layers):
    rounded = [(w.astype(np.float32), b.astype(np.float32)) for w, b in layers]
    assert all((w == v).all() and (b == c).all() for (w, b), (v, c) in zip(layers, rounded))
    return rounded


def dead_per_layer(pre):
    """How many units of each hidden layer are active for no row."""
    largest = [z.max(axis=0) for z in pre[:-1]]
    assert min(abs(z).min() for z in largest) >= MARGIN, "a unit is neither clearly dead nor alive"
    return [int((z < 0).sum()) for z in largest]


def check(recipe, layers, pixels, labels, held_out):
    """Prints what the finished network does and holds it to what was promised."""
    pre, _ = forward(layers, pixels)
    answers = pre[-1].argmax(axis=1)
    accuracy = (answers == labels)[held_out].mean()
    dead, units = dead_per_layer(pre), SIZES[1:-1]
    share = sum(dead) / sum(units)

    print(f"{recipe.name}: learning rate {recipe.rate}")
    print(f"  accuracy  test {accuracy:.2%}, training {(answers == labels)[~held_out].mean():.2%}")
    for i, (d, n) in enumerate(zip(dead, units), start=1):
        print(f"  dead      fc{i} {d} of {n} ({d / n:.1%})")
    print(f"  dead      all {sum(dead)} of {sum(units)} ({share:.1%})")

    assert accuracy >= recipe.accuracy_min, "the accuracy is below what is promised"
    assert recipe.dead_min <= share <= recipe.dead_max, "the dead share is not what is promised"
    assert (answers == labels)[EXAMPLES].all(), "an example is answered wrongly"


def onnx_model(name, layers):
    """Gemm and Relu in turn, as PyTorch exports an MLP; input `pixels`, output `scores`."""
    nodes, initializers, value = [], [], "pixels"
    for i, (weight, bias) in enumerate(layers, start=1):
        last = i == len(layers)
        out = "scores" if last else f"fc{i}.out"
        parameters = [f"fc{i}.weight", f"fc{i}.bias"]
        initializers += [numpy_helper.from_array(a, n) for a, n in zip((weight, bias), parameters)]
        nodes.append(helper.make_node("Gemm", [value, *parameters], [out], name=f"fc{i}", transB=1))
        if not last:
            nodes.append(helper.make_node("Relu", [out], [f"relu{i}.out"], name=f"relu{i}"))
        value = f"relu{i}.out"
    ends = [
        helper.make_tensor_value_info(n, TensorProto.FLOAT, ["N", size])
        for n, size in (("pixels", SIZES[0]), ("scores", SIZES[-1]))
    ]
    graph = helper.make_graph(nodes, name, ends[:1], ends[1:], initializers)
    model = helper.make_model(graph, producer_name="relud train.py", ir_version=8,
                              opset_imports=[helper.make_opsetid("", 13)])
    onnx.checker.check_model(model, full_check=True)
    return model


def write_model(directory, layers):
    directory.mkdir(parents=True, exist_ok=True)
    model = onnx_model(directory.name, layers)
    (directory / "model.onnx").write_bytes(model.SerializeToString(deterministic=True))
    (directory / "config.json").write_text(CONFIG)


def write_data(directory, pixels, labels):
    np.savetxt(directory / "digits.csv", pixels, fmt="%d", delimiter=",")
    np.savetxt(directory / "labels.csv", labels, fmt="%d")


def write_examples(directory, rows):
    """Requests for `POST /infer`: all rows, the first row, and the first row as raw float32; and for v2."""
    directory.mkdir(exist_ok=True)
    for name, some in (("one", rows[:1]), ("seven", rows)):
        body = json.dumps({"inputs": some.astype(int).tolist()}, separators=(",", ":"))
        (directory / f"{name}.json").write_text(body + "\n")
    tensor = {"name": "pixels", "shape": [1, SIZES[0]], "datatype": "FP32", "data": rows[0].astype(int).tolist()}
    (directory / "one.v2.json").write_text(json.dumps({"inputs": [tensor]}, separators=(",", ":")) + "\n")
    (directory / "one.f32").write_bytes(rows[:1].astype("<f4").tobytes())


def main():
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent
    pixels, labels, held_out = load()
    for recipe in RECIPES:
        x, y = pixels[~held_out] / PIXEL_MAX, labels[~held_out]
        layers = as_float32(for_raw_pixels(train(x, y, recipe.rate)))
        check(recipe, layers, pixels, labels, held_out)
        write_model(out / recipe.name, layers)
    write_data(out / "digits", pixels, labels)
    write_examples(out / "digits" / "examples", pixels[EXAMPLES])


if __name__ == "__main__":
    main()
