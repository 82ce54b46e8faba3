"""A relud for a test of the page, and the models that are made for it."""
import json
import os
import re
import subprocess
import urllib.error
import urllib.request

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

RELUD = os.environ.get("RELUD", "build/release/relud")


class Relud:
    def __init__(self, *arguments, port=0):
        self.server = subprocess.Popen([RELUD, "--port", str(port), *arguments], stderr=subprocess.PIPE, text=True)
        for line in self.server.stderr:
            found = re.match(r"relud: listening on (http://127\.0\.0\.1:(\d+))", line)
            if found:
                self.url, self.port = found[1], int(found[2])
                return
        raise RuntimeError("relud did not start")

    def stop(self):
        self.server.terminate()
        self.server.wait()
        self.server.stderr.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def get(self, path, key=None):
        request = urllib.request.Request(self.url + path, headers={"Authorization": f"Bearer {key}"} if key else {})
        with urllib.request.urlopen(request) as reply:
            return reply.read().decode()

    def stats(self, query="", key=None):
        return json.loads(self.get("/stats?detail=units&" + query, key))

    def post(self, body, query="", path="/infer"):
        """The reply's JSON, that of a refusal, too."""
        request = urllib.request.Request(f"{self.url}{path}?{query}", body.encode(), {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request) as reply:
                return json.load(reply)
        except urllib.error.HTTPError as error:
            return json.load(error)

    def requests(self):
        """How many were answered so far."""
        return sum(float(line.split()[-1]) for line in self.get("/metrics").splitlines() if line.startswith("relud_requests_total"))

    def change(self, model, what):
        """Loads or unloads it."""
        self.post("{}", path=f"/v2/repository/models/{model}/{what}")

    def infer_digits(self, model):
        with open("models/digits/digits.csv", encoding="utf-8") as file:
            rows = ",".join(f"[{line.strip()}]" for line in file)
        self.post(f'{{"stats":"none","inputs":[{rows}]}}', f"model={model}")


def chain(path, units, layers, kinds=("Relu",), name="unit{}"):
    """Saves a network x [N, units] -> scale, shift and activate, so many times; its units differ in how often they fire,
    from never to always. It is small however many units it has, because it has no matrix."""
    random = np.random.RandomState(7)
    nodes, tensors, value = [], [], "x"
    for i in range(layers):
        for part, numbers in (("scale", np.ones(units)), ("shift", random.permutation(np.linspace(-4, 4, units)))):
            tensors.append(numpy_helper.from_array(numbers.astype(np.float32), f"{part}{i}"))
        nodes += [helper.make_node("Mul", ["x" if i == 0 else value, f"scale{i}"], [f"m{i}"]),
                  helper.make_node("Add", [f"m{i}", f"shift{i}"], [f"a{i}"]),
                  helper.make_node(kinds[i % len(kinds)], [f"a{i}"], [f"h{i}"], name=name.format(i))]
        value = f"h{i}"
    ends = [helper.make_tensor_value_info(end, TensorProto.FLOAT, ["N", units]) for end in ("x", value)]
    graph = helper.make_graph(nodes, "chain", ends[:1], ends[1:], tensors)
    onnx.save(helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 13)]), path)


def addition(path):
    """Saves a network with two inputs [N, 3], left and right, and no layer that is counted: y is their sum."""
    left, right, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", 3]) for name in ("left", "right", "y"))
    graph = helper.make_graph([helper.make_node("Add", ["left", "right"], ["y"])], "addition", [left, right], [y])
    onnx.save(helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 13)]), path)


def random_body(rows, units):
    numbers = np.round(np.random.RandomState(3).standard_normal((rows, units)), 2)
    return json.dumps({"stats": "none", "inputs": numbers.tolist()})
