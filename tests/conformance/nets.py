"""Small random nets in the style of known architectures, as directories in the layout of ONNX's test data.

Their outputs are computed here, with NumPy in double precision. Every net is written three times: as it is; for a
batch of one, in whose shapes the 1 is written out, as most published files have it; and for a batch of three whose
rows the last node runs together, so that it can only be imported whole.
"""
import os
import sys

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from onnx import TensorProto, helper, numpy_helper, save

ROWS = 3
NETS = []


def net(*shape, variants=("", "_one", "_whole")):
    """Decorates a function that builds a net from its input of that shape, and returns its output."""
    return lambda build: NETS.append((build, shape, variants))


class Net:
    """A graph under construction. Values have names; self.values holds what each is for ROWS rows of the input."""

    def __init__(self, name, shape):
        self.random = np.random.default_rng(list(name.encode()))
        self.nodes, self.initializers, self.values = [], [], {}
        self.values["x"] = self.random.standard_normal((ROWS, *shape)).astype("f4").astype("f8")

    def __getitem__(self, name):
        return self.values[name]

    def constant(self, array, suffix="c"):
        name = f"{suffix}{len(self.values)}"
        self.initializers.append(numpy_helper.from_array(np.asarray(array), name))
        self.values[name] = np.asarray(array, "f8" if np.asarray(array).dtype == "f4" else None)
        return name

    def weights(self, *shape, fan=1):
        array = self.random.standard_normal(shape) / np.sqrt(fan)
        return self.constant(array.astype("f4"), "weight")

    def node(self, op, inputs, value, **attributes):
        name = f"t{len(self.values)}"
        self.nodes.append(helper.make_node(op, inputs, [name], **attributes))
        self.values[name] = value
        return name

    # Layers

    def conv(self, x, channels, kernel, stride=1, pad=0, group=1, bias=True, dilation=1):
        image = np.pad(self[x], ((0, 0), (0, 0), (pad, pad), (pad, pad)))
        inner = image.shape[1] // group
        w = self.weights(channels, inner, kernel, kernel, fan=inner * kernel * kernel)
        reach = (kernel - 1) * dilation + 1
        taps = sliding_window_view(image, (reach, reach), (2, 3))[:, :, ::stride, ::stride, ::dilation, ::dilation]
        each = channels // group
        y = np.concatenate([np.einsum("nchwij,ocij->nohw", taps[:, g * inner:(g + 1) * inner],
                                      self[w][g * each:(g + 1) * each]) for g in range(group)], 1)
        inputs = [x, w]
        if bias:
            inputs.append(self.weights(channels))
            y += self[inputs[2]][:, None, None]
        return self.node("Conv", inputs, y, strides=[stride] * 2, pads=[pad] * 4, group=group,
                         dilations=[dilation] * 2)

    def conv_transpose(self, x, channels, kernel, stride, pad):
        w, b = self.weights(self[x].shape[1], channels, kernel, kernel, fan=self[x].shape[1]), self.weights(channels)
        size = (self[x].shape[2] - 1) * stride + kernel
        y = np.zeros((ROWS, channels, size, size))
        for i, j in np.ndindex(*self[x].shape[2:]):
            y[:, :, i * stride:i * stride + kernel, j * stride:j * stride + kernel] += np.einsum(
                "nc,cohw->nohw", self[x][:, :, i, j], self[w])
        y = y[:, :, pad:size - pad, pad:size - pad] + self[b][:, None, None]
        return self.node("ConvTranspose", [x, w, b], y, strides=[stride] * 2, pads=[pad] * 4)

    def batch_norm(self, x):
        channels = self[x].shape[1]
        scale, variance = (self.constant(self.random.uniform(0.5, 2, channels).astype("f4")) for _ in range(2))
        bias, mean = self.weights(channels), self.weights(channels)
        s, b, m, v = (self[i].reshape(channels, *[1] * (self[x].ndim - 2)) for i in (scale, bias, mean, variance))
        return self.node("BatchNormalization", [x, scale, bias, mean, variance],
                         (self[x] - m) / np.sqrt(v + 1e-5) * s + b)

    def dense(self, x, n):
        w, b = self.weights(n, self[x].shape[1], fan=self[x].shape[1]), self.weights(n)
        return self.node("Gemm", [x, w, b], self[x] @ self[w].T + self[b], transB=1)

    def relu(self, x):
        return self.node("Relu", [x], np.maximum(self[x], 0))

    def relu6(self, x):
        bounds = [self.constant(np.float32(bound)) for bound in (0, 6)]
        return self.node("Clip", [x, *bounds], np.clip(self[x], 0, 6))

    def softmax(self, x):
        e = np.exp(self[x] - self[x].max(-1, keepdims=True))
        return self.node("Softmax", [x], e / e.sum(-1, keepdims=True), axis=-1)

    # Pooling

    def pool(self, op, x, kernel, stride, pad=0):
        empty = -np.inf if op == "MaxPool" else np.nan
        image = np.pad(self[x], ((0, 0), (0, 0), (pad, pad), (pad, pad)), constant_values=empty)
        taps = sliding_window_view(image, (kernel, kernel), (2, 3))[:, :, ::stride, ::stride]
        y = taps.max((4, 5)) if op == "MaxPool" else np.nanmean(taps, (4, 5))
        return self.node(op, [x], y, kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=[pad] * 4)

    def max_pool(self, *arguments):
        return self.pool("MaxPool", *arguments)

    def average_pool(self, *arguments):
        return self.pool("AveragePool", *arguments)

    def global_pool(self, x):
        return self.node("GlobalAveragePool", [x], self[x].mean((2, 3), keepdims=True))

    def lrn(self, x):
        squares = np.pad(self[x] ** 2, ((0, 0), (2, 2), (0, 0), (0, 0)))
        around = sliding_window_view(squares, 5, 1).sum(-1)
        return self.node("LRN", [x], self[x] / (1 + 0.1 / 5 * around) ** 0.75, size=5, alpha=0.1, beta=0.75, bias=1.0)

    # Shapes

    def add(self, a, b):
        return self.node("Add", [a, b], self[a] + self[b])

    def concat(self, *parts):
        return self.node("Concat", parts, np.concatenate([self[part] for part in parts], 1), axis=1)

    def transpose(self, x, *axes):
        return self.node("Transpose", [x], self[x].transpose(axes), perm=axes)

    def reshape(self, x, *shape):
        """The batch, which reshapes take from the input, is set by batch()."""
        return self.node("Reshape", [x, self.constant(np.array([0, *shape]), "shape")],
                         self[x].reshape(ROWS, *shape))

    def flat(self, x):
        return self.reshape(x, -1)

    def view(self, x, *shape):
        """As PyTorch exports x.view(x.shape[0], …)."""
        zero, rest = self.constant(np.array([0])), self.constant(np.array(shape))
        whole = self.node("Shape", [x], None)
        first = self.node("Gather", [whole, zero], None, axis=0)
        return self.node("Reshape", [x, self.node("Concat", [first, rest], None, axis=0)],
                         self[x].reshape(ROWS, *shape))

    # Files

    def batch(self, batch):
        """The initializers with that batch in the shapes of reshapes."""
        for tensor in self.initializers:
            array = numpy_helper.to_array(tensor).copy()
            if tensor.name.startswith("shape"):
                array[0] = batch
            yield numpy_helper.from_array(array, tensor.name)

    def write(self, directory, variant, y):
        batch = {"": "N", "_one": 1, "_whole": ROWS}[variant]
        nodes, result = list(self.nodes), y
        if variant == "_whole":
            nodes.append(helper.make_node("Reshape", [y, "runs"], ["run_together"]))
            self.initializers.append(numpy_helper.from_array(np.array([-1]), "runs"))
            result = "run_together"
        graph = helper.make_graph(
            nodes, "net", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, *self["x"].shape[1:]])],
            [helper.make_tensor_value_info(result, TensorProto.FLOAT, None)],
            list(self.batch(0 if variant == "" else batch)))
        data = os.path.join(directory, "test_data_set_0")
        os.makedirs(data, exist_ok=True)
        save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)]),
             os.path.join(directory, "model.onnx"))
        for name, value in (("input", self["x"]), ("output", self[y])):
            with open(os.path.join(data, f"{name}_0.pb"), "wb") as file:
                file.write(numpy_helper.from_array(value.astype("f4")).SerializeToString())


@net(1, 28, 28)
def lenet(n, x):
    x = n.max_pool(n.relu(n.conv(x, 6, 5, pad=2)), 2, 2)
    x = n.max_pool(n.relu(n.conv(x, 16, 5)), 2, 2)
    x = n.relu(n.dense(n.relu(n.dense(n.flat(x), 120)), 84))
    return n.softmax(n.dense(x, 10))


@net(3, 31, 31)
def alexnet(n, x):
    x = n.max_pool(n.lrn(n.relu(n.conv(x, 12, 5, 2))), 3, 2)
    x = n.max_pool(n.lrn(n.relu(n.conv(x, 20, 3, pad=1, group=2))), 3, 2)
    return n.softmax(n.dense(n.relu(n.dense(n.flat(x), 30)), 9))


@net(20, 9, 9)
def resnet(n, x):
    def block(x, channels, stride, shortcut):
        y = n.relu(n.batch_norm(n.conv(x, channels, 3, stride, 1, bias=False)))
        return n.relu(n.add(n.batch_norm(n.conv(y, channels, 3, pad=1, bias=False)), shortcut))
    x = block(x, 20, 1, x)
    x = block(x, 40, 2, n.batch_norm(n.conv(x, 40, 1, 2, bias=False)))
    x = n.relu(n.add(n.batch_norm(n.conv(x, 40, 3, pad=1)), x))
    return n.dense(n.flat(n.global_pool(x)), 5)


@net(3, 17, 17)
def mobilenet(n, x):
    x = n.relu6(n.batch_norm(n.conv(x, 24, 3, 2, 1, bias=False)))
    y = n.relu6(n.batch_norm(n.conv(x, 72, 1)))
    y = n.relu6(n.batch_norm(n.conv(y, 72, 3, pad=1, group=72)))
    x = n.add(x, n.batch_norm(n.conv(y, 24, 1)))
    return n.dense(n.flat(n.global_pool(x)), 7)


@net(12, 8, 8)
def densenet(n, x):
    for _ in range(3):
        y = n.relu(n.batch_norm(n.conv(n.relu(n.batch_norm(x)), 20, 1, bias=False)))
        x = n.concat(x, n.conv(y, 7, 3, pad=1, bias=False))
    x = n.average_pool(n.conv(n.relu(n.batch_norm(x)), 10, 1), 2, 2)
    return n.dense(n.flat(x), 4)


@net(19, 10, 10)
def inception(n, x):
    x = n.concat(n.relu(n.conv(x, 5, 1)),
                 n.relu(n.conv(n.relu(n.conv(x, 9, 1)), 13, 3, pad=1)),
                 n.relu(n.conv(n.relu(n.conv(x, 3, 1)), 8, 5, pad=2)),
                 n.relu(n.conv(n.max_pool(x, 3, 1, 1), 6, 1)))
    return n.dense(n.flat(n.average_pool(x, 3, 2, 1)), 6)


def shuffle_unit(n, x, reshape):
    y = n.relu(n.batch_norm(n.conv(x, 24, 1, group=3)))
    y = reshape(n.transpose(reshape(y, 3, 8, 6, 6), 0, 2, 1, 3, 4), 24, 6, 6)
    y = n.batch_norm(n.conv(y, 24, 3, pad=1, group=24))
    x = n.relu(n.add(n.batch_norm(n.conv(y, 24, 1, group=3)), x))
    return n.dense(n.flat(n.global_pool(x)), 5)


@net(24, 6, 6)
def shufflenet(n, x):
    return shuffle_unit(n, x, n.reshape)


@net(24, 6, 6)
def shufflenet_views(n, x):
    return shuffle_unit(n, x, n.view)


@net(5, 12, 12)
def dilated(n, x):
    return n.flat(n.conv(n.relu(n.conv(x, 300, 3, 2, 2, dilation=2)), 18, 3, group=6))


@net(3, 16, 16)
def autoencoder(n, x):
    x = n.relu(n.batch_norm(n.conv(x, 18, 3, 2, 1)))
    x = n.relu(n.conv(x, 9, 3, 2, 1))
    x = n.relu(n.batch_norm(n.conv_transpose(x, 20, 4, 2, 1)))
    return n.flat(n.conv_transpose(n.add(x, n.conv_transpose(x, 20, 3, 1, 1)), 3, 2, 2, 0))


for make, input_shape, written in NETS:
    for name in written:
        made = Net(make.__name__, input_shape)
        made.write(os.path.join(sys.argv[1], f"test_{make.__name__}{name}"), name, make(made, "x"))
