#!/usr/bin/python3
"""live.py: what relud says of the units of the bundled networks is what numpy finds.

Posts the whole data set to a live relud and compares GET /stats?detail=units with the same counted here from the
weights in the ONNX files: counts, the dead, the largest pre-activations and what they lack. Prints which share of the
dead is proven dead.
"""
import json
import urllib.request

import numpy as np
import onnx
from onnx import numpy_helper

from daemon import serving

MODELS = ["digits", "digits-dying"]


def served(url, name, rows):
    body = json.dumps({"inputs": rows.tolist(), "stats": "none"}).encode()
    urllib.request.urlopen(f"{url}/infer?model={name}", body).read()
    return json.load(urllib.request.urlopen(f"{url}/stats?model={name}&detail=units"))


def pre_activations(name, rows):
    """Of each hidden layer, in double precision; its name is that of its weights."""
    graph = onnx.load(f"models/{name}/model.onnx").graph
    weights = {tensor.name: numpy_helper.to_array(tensor).astype(np.float64) for tensor in graph.initializer}
    values = {graph.input[0].name: rows}
    for node in graph.node:
        x = values[node.input[0]]
        if node.op_type == "Relu":
            values[node.output[0]] = np.maximum(x, 0)
            continue
        assert node.op_type == "Gemm", node.op_type
        turned = any(attribute.name == "transB" and attribute.i for attribute in node.attribute)
        matrix = weights[node.input[1]].T if turned else weights[node.input[1]]
        values[node.output[0]] = z = x @ matrix + weights[node.input[2]]
        if node.output[0] != graph.output[0].name:
            yield node.input[1].removesuffix(".weight"), z


def check(name, stats, rows):
    dead = proven = 0
    layers = {layer["name"]: layer for layer in stats["layers"]}
    assert stats["samples"] == len(rows) and stats["out_of_range_rows"] == 0
    for layer, z in pre_activations(name, rows):
        said = layers.pop(layer)
        units = said["unit_stats"]
        active, largest = (z > 0).sum(axis=0), z.max(axis=0)
        expected = np.flatnonzero(active == 0).tolist()
        close = 1e-5 * np.abs(z).max()
        assert units["active"] == active.tolist(), f"{name} {layer}: counts differ"
        assert said["dead"]["units"] == expected, f"{name} {layer}: the dead differ"
        assert np.abs(np.array(units["max_preactivation"]) - largest).max() < close
        assert all((margin is None) == (count > 0) for margin, count in zip(units["margin"], active))
        assert all(abs(units["margin"][unit] + largest[unit]) < close for unit in expected)
        assert set(said["dead_proven"]["units"]) <= set(expected) and not said["dead_proven"]["void"]
        dead += len(expected)
        proven += said["dead_proven"]["count"]
    assert not layers, f"{name}: layers that numpy does not know: {list(layers)}"
    print(f"{name}: {dead} units dead, {proven} of them proven dead for every pixel from 0 to 16")


def main():
    rows = np.loadtxt("models/digits/digits.csv", delimiter=",")
    with serving(*("models/" + name for name in MODELS)) as url:
        for name in MODELS:
            check(name, served(url, name, rows), rows)


main()
