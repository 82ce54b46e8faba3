"""Makes what the benchmark runs on, beside the bundled digits: the network 784-512-512-10 with random
weights, rows of numbers, and a file as large as ResNet-50's. Needs Debian's python3-numpy and python3-onnx."""
import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

sys.path.append(str(Path(__file__).resolve().parents[1] / "conformance"))
from architectures import Net, resnet50

SIZES = (784, 512, 512, 10)
ROWS = 4096  # 64 batches of 64
ZEROS = 0.8  # as in pictures of handwritten digits


def random_rows(random, zeros):
    """Rows whose mean square is 1 whatever their share of zeros, so that one set of biases leaves the
    same share of hidden units silent. Four decimals, as people send them."""
    x = random.standard_normal((ROWS, SIZES[0])) / np.sqrt(1 - zeros)
    return np.round(x * (random.random(x.shape) >= zeros), 4).astype(np.float32)


def random_layers(random, x):
    """Pairs (weight [in, out], bias [out]); the hidden biases silence half of the observations on x."""
    layers = []
    for i, (k, n) in enumerate(zip(SIZES, SIZES[1:])):
        weight = (random.standard_normal((k, n)) * np.sqrt(2 / k)).astype(np.float32)
        z = x @ weight
        hidden = i < len(SIZES) - 2
        bias = -np.median(z, axis=0) if hidden else random.standard_normal(n) * 0.1
        layers.append((weight, bias.astype(np.float32)))
        x = np.maximum(z + layers[-1][1], 0)
    return layers


def hidden_zeros(layers, x):
    """The share of zeros among the hidden outputs."""
    zeros = []
    for weight, bias in layers[:-1]:
        x = np.maximum(x @ weight + bias, 0)
        zeros.append((x == 0).mean())
    return float(np.mean(zeros))


def onnx_model(layers):
    nodes, initializers, value = [], [], "x"
    for i, (weight, bias) in enumerate(layers, start=1):
        last = i == len(layers)
        parameters = [f"fc{i}.weight", f"fc{i}.bias"]
        initializers += [numpy_helper.from_array(a, n) for a, n in zip((weight, bias), parameters)]
        out = "y" if last else f"z{i}"
        nodes.append(helper.make_node("Gemm", [value, *parameters], [out], name=f"fc{i}"))
        if not last:
            nodes.append(helper.make_node("Relu", [out], [f"h{i}"], name=f"relu{i}"))
        value = f"h{i}"
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["N", size])
            for n, size in (("x", SIZES[0]), ("y", SIZES[-1]))]
    graph = helper.make_graph(nodes, "mlp", ends[:1], ends[1:], initializers)
    return helper.make_model(graph, producer_name="relud bench", ir_version=8,
                             opset_imports=[helper.make_opsetid("", 13)])


class Stored(Net):
    """A network all of whose weights are in the file."""

    def weight(self, dims, name):
        return self.initializer(self.normal(dims) / np.float32(np.sqrt(np.prod(dims[1:]))), name)


def prepare_resnet50(directory):
    """Writes resnet50.onnx into directory; returns its path."""
    path = directory / "resnet50.onnx"
    if not path.exists():
        net = Stored(light=False)
        onnx.save(net.model(resnet50(net), (1, 1000)), path)
    return path


def prepare(directory, digits_csv):
    """Writes mlp.onnx and NAME.f32 into directory; returns the rows by name and the share of hidden
    zeros of each kind of rows of the MLP."""
    random = np.random.RandomState(1)
    rows = {"digits": np.loadtxt(digits_csv, delimiter=",", dtype=np.float32),
            "mlp": random_rows(random, 0), "mlp-z80": random_rows(random, ZEROS)}
    layers = random_layers(random, rows["mlp"])
    onnx.save(onnx_model(layers), str(directory / "mlp.onnx"))
    for name, x in rows.items():
        x.astype("<f4").tofile(directory / f"{name}.f32")
    return rows, {name: hidden_zeros(layers, rows[name]) for name in ("mlp", "mlp-z80")}
