"""Small networks as skl2onnx and tf2onnx write them, in the layout of ONNX's test data.

    exporters.py OUT     writes OUT/test_NAME

Neither exporter is in Debian, so their graphs are drawn here, form by form: a classifier's label beside
its probabilities, dictionaries of probabilities, scalers; images with channels last, turned around for
each convolution, and shapes computed from the input. What a network should answer is computed with
NumPy from what the user had written, not from the graph.
"""
import os
import sys

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from onnx import TensorProto, ValueInfoProto, helper, numpy_helper, save

ROWS = 3
ML = "ai.onnx.ml"
CASES = []


def case(*shape):
    """Enters a function that draws a graph with an input of that shape and returns what it answers."""
    return lambda draw: CASES.append((draw, shape))


class Graph:
    def __init__(self, name, input_name, shape):
        self.name, self.input = name, input_name
        self.rng = np.random.default_rng(list(name.encode()))
        self.x = self.normal(ROWS, *shape)
        self.nodes, self.initializers, self.outputs = [], [], []

    def normal(self, *shape, scale=1.0):
        return (scale * self.rng.standard_normal(shape)).astype("f4")

    def weights(self, inputs, outputs):
        return self.normal(inputs, outputs, scale=inputs ** -0.5), self.normal(outputs, scale=0.5)

    def constant(self, array, name):
        self.initializers.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def ints(self, *numbers):
        return self.constant(np.array(numbers, np.int64), f"const_{len(self.initializers)}")

    def add(self, op, inputs, output=None, **attributes):
        output = output or f"{op.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, inputs, [output], f"{op}_{len(self.nodes)}", **attributes))
        return output

    def served(self, name, kind=TensorProto.FLOAT):
        self.outputs.append(helper.make_tensor_value_info(name, kind, None))

    def dictionaries(self, name, key):
        """An output with a dictionary for each row."""
        info = ValueInfoProto(name=name)
        dictionary = info.type.sequence_type.elem_type.map_type
        dictionary.key_type = key
        dictionary.value_type.tensor_type.elem_type = TensorProto.FLOAT
        self.outputs.append(info)

    def write(self, directory, answers):
        shape = ["N", *self.x.shape[1:]]
        graph = helper.make_graph(
            self.nodes, self.name, [helper.make_tensor_value_info(self.input, TensorProto.FLOAT, shape)],
            self.outputs, self.initializers)
        opsets = [helper.make_opsetid(ML, 1), helper.make_opsetid("", 15)]
        os.makedirs(f"{directory}/test_data_set_0", exist_ok=True)
        save(helper.make_model(graph, opset_imports=opsets), f"{directory}/model.onnx")
        tensors = [("input_0", self.x)] + [(f"output_{i}", y) for i, y in enumerate(answers)]
        for name, array in tensors:
            with open(f"{directory}/test_data_set_0/{name}.pb", "wb") as file:
                file.write(numpy_helper.from_array(array).SerializeToString())


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def relu(x):
    return np.maximum(x, 0)


# scikit-learn: coefs_ are [inputs, outputs], intercepts_ are written as [1, outputs]


def perceptron(g, x, y, sizes, hidden, last):
    """The layers of an MLPClassifier or MLPRegressor, after the input x, whose numbers are y."""
    functions = {"Relu": relu, "Tanh": np.tanh, "Sigmoid": lambda z: 1 / (1 + np.exp(-z)),
                 "Softmax": softmax, "Identity": lambda z: z}
    for i, outputs in enumerate(sizes):
        number = "" if i == 0 else str(i)
        w, b = g.weights(y.shape[1], outputs)
        x = g.add("MatMul", [x, g.constant(w, f"coefficient{number}")], f"mul_result{number}")
        x = g.add("Add", [x, g.constant(b[None], f"intercepts{number}")], f"add_result{number}")
        op = hidden if i + 1 < len(sizes) else last
        x = g.add(op, [x], "out_activations_result" if op == last else f"next_activations{number}")
        y = functions[op](y.astype("f8") @ w + b)
    return x, y.astype("f4")


def label(g, probabilities, classes, output):
    """The class with the largest probability, by its name."""
    classes = np.array(classes)
    text = classes.dtype.kind == "U"
    if text:
        g.initializers.append(helper.make_tensor("classes", TensorProto.STRING, classes.shape,
                                                 [c.encode() for c in classes]))
    else:
        g.constant(classes.astype(np.int32), "classes")
    best = g.add("ArgMax", [probabilities], "argmax_output", axis=1)
    names = g.add("ArrayFeatureExtractor", ["classes", best], "array_feature_extractor_result", domain=ML)
    if text:
        g.add("Reshape", [names, g.ints(-1)], output)
    else:
        g.add("Cast", [g.add("Reshape", [names, g.ints(-1)], "reshaped_result")], output, to=TensorProto.INT64)
    g.served(output, TensorProto.STRING if text else TensorProto.INT64)
    return classes[np.arange(ROWS) % len(classes)].astype(np.int64) if not text else None


def classifier(g, x, y, sizes, classes, hidden="Relu"):
    """An MLPClassifier, without zipmap."""
    x = g.add("Cast", [x], "cast_input", to=TensorProto.FLOAT)
    binary = len(classes) == 2
    x, y = perceptron(g, x, y, [*sizes, 1 if binary else len(classes)], hidden,
                      "Sigmoid" if binary else "Softmax")
    if binary:
        negative = g.add("Sub", [g.constant(np.float32(1), "unity"), x], "negative_class_proba")
        return g.add("Concat", [negative, x], "probabilities", axis=1), np.concatenate([1 - y, y], 1)
    return g.add("Identity", [x], "probabilities"), y


@case(6)
def skl_classifier(g):
    x, y = classifier(g, "X", g.x, [16, 8], [0, 1, 2])
    labels = label(g, x, [0, 1, 2], "label")
    g.served(x)
    return labels, y


@case(6)
def skl_classifier_binary(g):
    x, y = classifier(g, "X", g.x, [9], [0, 1], "Tanh")
    labels = label(g, x, [0, 1], "label")
    g.served(x)
    return labels, y


@case(6)
def skl_classifier_zipmap(g):
    """As it is exported unless told otherwise; the probabilities come in dictionaries."""
    x, y = classifier(g, "X", g.x, [12], [0, 1, 2, 3])
    labels = label(g, x, [0, 1, 2, 3], "label")
    g.add("Cast", ["label"], "output_label", to=TensorProto.INT64)
    g.outputs.clear()
    g.served("output_label", TensorProto.INT64)
    g.add("ZipMap", [x], "output_probability", domain=ML, classlabels_int64s=[0, 1, 2, 3])
    g.dictionaries("output_probability", TensorProto.INT64)
    return labels, y


@case(5)
def skl_pipeline(g):
    """StandardScaler, then a classifier of classes with names."""
    mean, scale = g.normal(5), 0.5 + g.rng.random(5).astype("f4")
    g.add("Scaler", ["X"], "variable", domain=ML, offset=mean.tolist(), scale=scale.tolist())
    x, y = classifier(g, "variable", (g.x - mean) * scale, [10], ["cat", "dog", "owl"])
    label(g, x, ["cat", "dog", "owl"], "output_label")
    g.add("ZipMap", [x], "output_probability", domain=ML, classlabels_strings=["cat", "dog", "owl"])
    g.dictionaries("output_probability", TensorProto.STRING)
    g.outputs = g.outputs[::-1]  # strings are no test data, the dictionaries come first
    return [y]


@case(7)
def skl_regressor(g):
    x = g.add("Cast", ["X"], "cast_input", to=TensorProto.FLOAT)
    x, y = perceptron(g, x, g.x, [20, 10, 1], "Relu", "Identity")
    g.served(g.add("Reshape", [x, g.ints(-1, 1)], "variable"))
    return [y]


# Keras: images are [rows, height, width, channels], kernels [height, width, inputs, outputs]


def convolve(x, w, b, pads, stride=1):
    """What Keras computes; one kernel for each channel when w has no outputs."""
    image = np.pad(x.astype("f8"), ((0, 0), pads, pads, (0, 0)))
    taps = sliding_window_view(image, w.shape[:2], (1, 2))[:, ::stride, ::stride]
    return np.einsum("nhwcij,ijco->nhwo" if w.ndim == 4 else "nhwcij,ijc->nhwc", taps, w) + b


def variable(layer, name):
    return f"StatefulPartitionedCall/model/{layer}/{name}/ReadVariableOp:0"


def conv(g, x, y, layer, channels, kernel, pads=(0, 0), **attributes):
    """Of an image that is turned around already."""
    w = g.normal(kernel, kernel, y.shape[-1], channels, scale=(kernel * kernel * y.shape[-1]) ** -0.5)
    b = g.normal(channels)
    inputs = [x, g.constant(w.transpose(3, 2, 0, 1), variable(layer, "Conv2D")),
              g.constant(b, variable(layer, "BiasAdd"))]
    stride = attributes.get("strides", [1])[0]
    return g.add("Conv", inputs, kernel_shape=[kernel] * 2, group=1, **attributes), convolve(y, w, b, pads, stride)


def dense(g, x, y, layer, outputs):
    w, b = g.weights(y.shape[-1], outputs)
    x = g.add("MatMul", [x, g.constant(w, variable(layer, "MatMul"))])
    return g.add("Add", [x, g.constant(b, variable(layer, "BiasAdd"))]), y @ w + b


def first(g, x):
    return g.add("Transpose", [x], perm=[0, 3, 1, 2])


def last(g, x):
    return g.add("Transpose", [x], perm=[0, 2, 3, 1])


def pooled(y, size):
    return sliding_window_view(y, (size, size), (1, 2))[:, ::size, ::size].max((4, 5))


@case(14, 14, 1)
def keras_digits(g):
    """One channel need not be turned around; a flattened image must be turned back."""
    x = g.add("Reshape", ["x", g.ints(-1, 1, 14, 14)])
    x, y = conv(g, x, g.x, "conv2d", 6, 3)
    x, y = g.add("MaxPool", [g.add("Relu", [x])], kernel_shape=[2, 2], strides=[2, 2]), pooled(relu(y), 2)
    x, y = conv(g, x, y, "conv2d_1", 8, 3)
    x, y = last(g, g.add("Relu", [x])), relu(y)
    x, y = g.add("Reshape", [x, g.ints(-1, 128)]), y.reshape(ROWS, 128)
    x, y = dense(g, x, y, "dense", 12)
    x, y = dense(g, g.add("Relu", [x]), relu(y), "dense_1", 10)
    g.served(g.add("Softmax", [x], "dense_1", axis=1))
    return [softmax(y)]


@case(9, 8, 3)
def keras_flatten(g):
    """Padding of its own, "same" padding, every convolution turned around, a shape from the input."""
    x = g.add("Pad", ["x", g.ints(0, 1, 1, 0, 0, 1, 1, 0)], mode="constant")
    x, y = conv(g, first(g, x), np.pad(g.x, ((0, 0), (1, 1), (1, 1), (0, 0))), "conv2d", 5, 3)
    x, y = g.add("Relu", [last(g, x)]), relu(y)
    x, y = conv(g, first(g, x), y, "conv2d_1", 4, 3, (1, 1), auto_pad="SAME_UPPER")
    x, y = last(g, g.add("LeakyRelu", [x], alpha=0.3)), np.where(y < 0, 0.3 * y, y)
    shape = g.add("Cast", [g.add("Shape", [x])], to=TensorProto.INT32)
    batch = g.add("Slice", [shape, g.ints(0), g.ints(1), g.ints(0)])
    rest = g.constant(np.array([288], np.int32), "const_flatten")
    shape = g.add("Cast", [g.add("Concat", [batch, rest], axis=0)], to=TensorProto.INT64)
    x, y = dense(g, g.add("Reshape", [x, shape]), y.reshape(ROWS, 288), "dense", 4)
    g.served(g.add("Identity", [x], "output"))
    return [y]


@case(8, 8, 4)
def keras_separable(g):
    """MobileNet's block: depthwise, a normalization as Mul and Add, ReLU6 as Min and Relu, residual."""
    x, y = first(g, "x"), g.x
    w, scale, shift = g.normal(3, 3, 4), 0.5 + g.rng.random(4).astype("f4"), g.normal(4)
    g.constant(w.transpose(2, 0, 1)[:, None], variable("depthwise", "depthwise"))
    z = g.add("Conv", [x, variable("depthwise", "depthwise")], kernel_shape=[3, 3], group=4, pads=[1] * 4)
    z = g.add("Mul", [z, g.constant(scale.reshape(1, 4, 1, 1), "batch_norm/mul")])
    z = g.add("Add", [z, g.constant(shift.reshape(4, 1, 1), "batch_norm/sub")])
    z = g.add("Min", [g.add("Relu", [z]), g.constant(np.float32(6), "six")])
    z, t = conv(g, z, np.clip(convolve(y, w, 0, (1, 1)) * scale + shift, 0, 6), "pointwise", 4, 1)
    x, y = g.add("Add", [x, z]), y + t
    x, y = g.add("ReduceMean", [last(g, x)], axes=[1, 2], keepdims=0), y.mean((1, 2))
    x, y = dense(g, x, y, "dense", 3)
    g.served(g.add("Sigmoid", [x], "output"))
    return [1 / (1 + np.exp(-y))]


@case(8)
def keras_dense(g):
    """Functional: normalization, a slope for each unit, a gate, two outputs."""
    mean, deviation = g.normal(8), 0.5 + g.rng.random(8).astype("f4")
    x = g.add("Div", [g.add("Sub", ["x", g.constant(mean[None], "mean")]), g.constant(deviation[None], "deviation")])
    x, y = dense(g, x, (g.x - mean) / deviation, "dense", 12)
    slope = g.normal(12, scale=0.3)
    negative = g.add("Mul", [g.add("Relu", [g.add("Neg", [x])]), g.constant(-slope, "p_re_lu/Neg")])
    x, y = g.add("Add", [g.add("Relu", [x]), negative]), np.where(y < 0, slope * y, y)
    gate, t = dense(g, x, y, "gate", 12)
    x, y = g.add("Mul", [x, g.add("Sigmoid", [gate])]), y / (1 + np.exp(-t))
    answers = []
    for name, outputs in ("mean", 2), ("variance", 1):
        z, t = dense(g, x, y, name, outputs)
        op, answer = ("Tanh", np.tanh(t)) if name == "mean" else ("Softplus", np.log1p(np.exp(t)))
        g.served(g.add(op, [z], f"{name}_output"))
        answers.append(answer)
    return answers


def main(out):
    for draw, shape in CASES:
        graph = Graph(draw.__name__, "X" if draw.__name__.startswith("skl") else "x", shape)
        answers = [np.asarray(a, a.dtype if a.dtype.kind == "i" else "f4") for a in draw(graph)]
        graph.write(f"{out}/test_{graph.name}", answers)


if __name__ == "__main__":
    main(sys.argv[1])
