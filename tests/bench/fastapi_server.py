#!/usr/bin/python3
"""fastapi_server.py MODEL [PORT]: what one would serve a small network with in Python: FastAPI, uvicorn
with uvloop and httptools, and NumPy. POST {"inputs": rows} is answered with {"outputs": rows}."""
import sys
from typing import List

import numpy as np
import onnx
import uvicorn
from fastapi import FastAPI
from onnx import numpy_helper
from pydantic import BaseModel


class Infer(BaseModel):
    inputs: List[List[float]]


def layers_of(path):
    """Triples (weight [in, out], bias, whether ReLU follows) of a chain of Gemm and Relu."""
    graph = onnx.load(path).graph
    tensors = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
    layers = []
    for node in graph.node:
        if node.op_type == "Relu":
            layers[-1][2] = True
            continue
        if node.op_type != "Gemm":
            raise SystemExit(f"{path}: expected Gemm and Relu, found {node.op_type}")
        weight, bias = (tensors[name] for name in node.input[1:])
        transposed = any(a.name == "transB" and a.i for a in node.attribute)
        layers.append([np.ascontiguousarray(weight.T if transposed else weight), bias, False])
    return layers


def main():
    app = FastAPI()
    layers = layers_of(sys.argv[1])

    @app.post("/infer")
    async def infer(body: Infer):
        x = np.array(body.inputs, np.float32)
        for weight, bias, relu in layers:
            x = x @ weight + bias
            if relu:
                np.maximum(x, 0, out=x)
        return {"outputs": x.tolist()}

    port = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    uvicorn.run(app, host="127.0.0.1", port=port, loop="uvloop", http="httptools", access_log=False)


if __name__ == "__main__":
    main()
