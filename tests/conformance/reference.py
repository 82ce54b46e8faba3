"""The outputs that architectures.py expects, computed node by node with PyTorch.

    reference.py OUT     writes OUT/NAME.pb

Needs Debian's python3-torch, and is run only when architectures.py has changed: its results are kept
in architectures/. Moderate networks are computed in double precision; the light ones in single, since
what leaves the range of a float must leave it here as well.
"""
import sys

import torch
import torch.nn.functional as F
from onnx import helper, numpy_helper

import architectures


def padded(x, pads, value):
    """x with a node's pads [begin…, end…] around its image."""
    top, left, bottom, right = pads
    return F.pad(x, (left, right, top, bottom), value=value)


def max_pool(x, kernel_shape, strides, pads):
    return F.max_pool2d(padded(x, pads, float("-inf")), kernel_shape, strides)


def average_pool(x, kernel_shape, strides, pads):
    """The padding does not count."""
    inside = padded(torch.ones_like(x[:, :1]), pads, 0)
    return F.avg_pool2d(padded(x, pads, 0), kernel_shape, strides) / F.avg_pool2d(
        inside, kernel_shape, strides)


def unsqueeze(x, axes):
    for axis in sorted(axes):
        x = x.unsqueeze(axis)
    return x


def softmax(x):
    """Operator set 9: over everything behind the batch together."""
    return F.softmax(x.flatten(1), 1).reshape(x.shape)


def conv(x, w, b=None, kernel_shape=None, strides=None, pads=None, group=1):
    return F.conv2d(padded(x, pads, 0), w, b, strides, groups=group)


OPERATORS = {
    "Add": torch.add,
    "AveragePool": average_pool,
    "BatchNormalization": lambda x, s, b, m, v, epsilon: F.batch_norm(x, m, v, s, b, eps=epsilon),
    "Concat": lambda *parts, axis: torch.cat(parts, axis),
    "Conv": conv,
    "Dropout": lambda x, ratio: x,
    "Gemm": lambda x, w, b, transB: F.linear(x, w, b),
    "GlobalAveragePool": lambda x: x.mean((2, 3), keepdim=True),
    "LRN": lambda x, size, alpha, beta, bias: F.local_response_norm(x, size, alpha, beta, bias),
    "MaxPool": max_pool,
    "Mul": torch.mul,
    "Relu": F.relu,
    "Reshape": lambda x, dims: x.reshape(dims.tolist()),
    "Softmax": softmax,
    "Sum": torch.add,
    "Transpose": lambda x, perm: x.permute(perm),
    "Unsqueeze": unsqueeze,
}


def evaluate(model, inputs, dtype):
    """The output of a model with one, given its inputs by name."""
    def read(tensor):
        read = torch.tensor(numpy_helper.to_array(tensor))
        return read.to(dtype) if read.is_floating_point() else read

    values = {tensor.name: read(tensor) for tensor in model.graph.initializer}
    values.update({name: torch.tensor(array).to(dtype) for name, array in inputs.items()})
    for node in model.graph.node:
        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        if node.op_type == "ConstantOfShape":
            dims = values[node.input[0]].tolist()
            values[node.output[0]] = torch.full(dims, read(attributes["value"]).item(), dtype=dtype)
        else:
            inputs = [values[name] for name in node.input]
            values[node.output[0]] = OPERATORS[node.op_type](*inputs, **attributes)
    return values[model.graph.output[0].name]


def main(out):
    for architecture in architectures.ARCHITECTURES:
        for light in (True, False):
            model, name = architectures.build(architecture, light)
            dtype = torch.float32 if light else torch.float64
            y = evaluate(model, {"data_0": architectures.ramp()}, dtype).float()
            architectures.write_tensor(y.numpy(), f"{out}/{name}.pb")
            print(f"{name}: from {y.min():g} to {y.max():g}, {int(y.isnan().sum())} of {y.numel()} NaN")


if __name__ == "__main__":
    with torch.no_grad():
        main(sys.argv[1])
