"""The files the benchmark runs on, beside the bundled digits: networks with random weights, and rows
of numbers. They are made when they are wanted for the first time. Needs Debian's python3-numpy and
python3-onnx."""
import zlib
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

import nets

ROOT = Path(__file__).resolve().parents[2]
DIGITS = ROOT / "models" / "digits"
MLPS = {"mlp784": (784, 512, 512, 10), "mlp4096": (1024, 4096, 4096, 1024), "dense512": (512, 512),
        "dense4096": (4096, 4096)}
OTHERS = {"digits": (64, 10), "identity": (1, 1)}
ROWS = 448  # the largest batch, 256, and 64 places to begin it at, 3 apart
IMAGES = 72  # the same for a batch of 8


def randoms(name):
    return np.random.RandomState(zlib.crc32(name.encode()))


def current(path):
    """Whether path has been made since its recipe was last changed."""
    recipes = (__file__, nets.__file__)
    return path.exists() and path.stat().st_mtime > max(Path(r).stat().st_mtime for r in recipes)


# Rows


def random_rows(features, zeros, count=ROWS):
    """Rows whose mean square is 1 whatever their share of zeros, in percent, so that one set of
    biases leaves the same share of hidden units silent. Four decimals, as people send them."""
    random = randoms(f"{features} {zeros}")
    x = random.standard_normal((count, features)) / np.sqrt(1 - zeros / 100)
    return np.round(x * (random.random_sample(x.shape) >= zeros / 100), 4).astype(np.float32)


def digits_rows():
    return np.loadtxt(DIGITS / "digits.csv", delimiter=",", dtype=np.float32)


def ends_of(net):
    """The numbers of a row of its input and of its output."""
    if net in nets.NETS:
        _, image, outputs = nets.NETS[net]
        return int(np.prod(image)), outputs
    sizes = MLPS.get(net) or OTHERS[net]
    return sizes[0], sizes[-1]


def rows_of(net, zeros):
    if net == "digits":
        return digits_rows()
    features = ends_of(net)[0]
    return random_rows(features, zeros, IMAGES if features > 10000 else ROWS)


def rows_file(directory, net, zeros):
    """The file of a network's inputs, of which zeros percent are zero."""
    name = "digits" if net == "digits" else f"rows-{ends_of(net)[0]}-{zeros}"
    path = directory / f"{name}.f32"
    if not current(path):
        rows_of(net, zeros).astype("<f4").tofile(path)
    return path


# Networks


def mlp_layers(net, hidden_zeros):
    """Pairs (weight [in, out], bias [out]). The biases of the hidden layers, or of the only one,
    silence each of its units on hidden_zeros percent of the rows."""
    sizes, x, random = MLPS[net], rows_of(net, 0), randoms(net)
    layers = []
    for i, (k, n) in enumerate(zip(sizes, sizes[1:])):
        weight = (random.standard_normal((k, n)) * np.sqrt(2 / k)).astype(np.float32)
        z = x @ weight
        hidden = i < max(1, len(sizes) - 2)
        bias = -np.percentile(z, hidden_zeros, axis=0) if hidden else random.standard_normal(n) * 0.1
        layers.append((weight, bias.astype(np.float32)))
        x = np.maximum(z + layers[-1][1], 0)
    return layers


def mlp_model(layers):
    nodes, initializers, value = [], [], "x"
    for i, (weight, bias) in enumerate(layers, start=1):
        last = i == len(layers)
        parameters = [f"fc{i}.weight", f"fc{i}.bias"]
        initializers += [numpy_helper.from_array(a, n) for a, n in zip((weight, bias), parameters)]
        linear = last and len(layers) > 1
        outputs = "y" if linear else f"z{i}"
        nodes.append(helper.make_node("Gemm", [value, *parameters], [outputs], name=f"fc{i}"))
        value = "y" if last else f"h{i}"
        if not linear:
            nodes.append(helper.make_node("Relu", [outputs], [value], name=f"relu{i}"))
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["N", size])
            for n, size in (("x", len(layers[0][0])), ("y", len(layers[-1][1])))]
    return model_of(nodes, ends, initializers)


def identity_model():
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["N", 1]) for n in "xy"]
    return model_of([helper.make_node("Identity", ["x"], ["y"])], ends, [])


def model_of(nodes, ends, initializers):
    graph = helper.make_graph(nodes, "net", ends[:1], ends[1:], initializers)
    return helper.make_model(graph, producer_name="relud bench", ir_version=8,
                             opset_imports=[helper.make_opsetid("", 13)])


def model_file(directory, net, hidden_zeros=50):
    """The file of a network; hidden_zeros, in percent, is for MLPs."""
    if net == "digits":
        return DIGITS / "model.onnx"
    path = directory / (f"{net}-{hidden_zeros}.onnx" if net in MLPS else f"{net}.onnx")
    if not current(path):
        model = mlp_model(mlp_layers(net, hidden_zeros)) if net in MLPS else \
            identity_model() if net == "identity" else nets.build(net)
        onnx.save(model, str(path))
    return path
