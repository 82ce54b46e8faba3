"""The nine classic image architectures as files in the layout of ONNX's test data.

    architectures.py OUT     writes OUT/small/test_NAME and OUT/large/test_NAME

They have the form of Caffe2's exports, which ONNX ships as test models: operator set 9, every
initializer an input as well, dropout with its mask, scales that are unsqueezed and multiplied, shapes
that fix the batch to 1. A tensor of more than 128 numbers is made by a ConstantOfShape node, so that
the files stay small.

Each architecture comes twice. In light_NAME these tensors are 0.5 everywhere, as ONNX's own light
models have it; the numbers of a deep one leave the range of a float. In NAME they are a small
constant times a random factor for each output and one for each input, so that channels differ and
numbers stay moderate. The outputs to expect are in architectures/, made by reference.py.
"""
import os
import shutil
import sys

import numpy as np
from onnx import TensorProto, helper, numpy_helper, save

SMALL = 128  # numbers up to which a tensor stays an initializer
IMAGE = (1, 3, 224, 224)
HERE = os.path.dirname(os.path.abspath(__file__))


class Net:
    """A graph under construction. Methods that add nodes return the name of what they make."""

    def __init__(self, light):
        self.light = light
        self.rng = np.random.default_rng(224)
        self.nodes, self.initializers = [], []
        self.channels = {"data_0": 3}
        self.count = 0

    def add(self, op, inputs, channels=None, outputs=1, **attributes):
        self.count += 1
        names = [f"{op.lower()}{self.count}_{i + 1}" for i in range(outputs)]
        self.nodes.append(helper.make_node(op, inputs, names, **attributes))
        self.channels[names[0]] = channels or self.channels.get(inputs[0])
        return names[0]

    def initializer(self, array, name):
        self.initializers.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    # Tensors

    def constant(self, dims, value, name):
        shape = self.initializer(np.array(dims, np.int64), f"{name}__SHAPE")
        value = numpy_helper.from_array(np.array([value], np.float32))
        self.nodes.append(helper.make_node("ConstantOfShape", [shape], [name], value=value))
        return name

    def weight(self, dims, name):
        """[outputs, inputs…]"""
        fan_in = int(np.prod(dims[1:]))
        if np.prod(dims) <= SMALL:
            return self.initializer(self.normal(dims) / np.float32(np.sqrt(fan_in)), name)
        if self.light:
            return self.constant(dims, 0.5, name)
        matrix = self.constant([dims[0], fan_in], np.sqrt(2 / fan_in), f"{name}_scale")
        for side, shape in ("rows", [dims[0], 1]), ("columns", [1, fan_in]):
            matrix = self.add("Mul", [matrix, self.initializer(self.normal(shape), f"{name}_{side}")])
        return self.reshape(matrix, *dims)

    def vector(self, count, low, high, name):
        if count <= SMALL or not self.light:
            return self.initializer(self.rng.uniform(low, high, count).astype(np.float32), name)
        return self.constant([count], 0.5, name)

    def normal(self, dims):
        return self.rng.standard_normal(dims).astype(np.float32)

    # Layers

    def conv(self, x, channels, kernel, stride=1, pad=0, group=1, bias=True):
        name = f"conv{self.count}"
        inputs = [x, self.weight([channels, self.channels[x] // group, kernel, kernel], f"{name}_w_0")]
        if bias:
            inputs.append(self.vector(channels, -0.1, 0.1, f"{name}_b_0"))
        return self.add("Conv", inputs, channels, kernel_shape=[kernel] * 2, strides=[stride] * 2,
                        pads=[pad] * 4, group=group)

    def relu(self, x):
        return self.add("Relu", [x])

    def conv_relu(self, x, *args, **kwargs):
        return self.relu(self.conv(x, *args, **kwargs))

    def batch_norm(self, x):
        n, name = self.channels[x], f"bn{self.count}"
        return self.add("BatchNormalization", [x] + [
            self.vector(n, *bounds, f"{name}_{kind}_0") for kind, *bounds in (
                ("s", 0.5, 1.5), ("b", -0.5, 0.5), ("rm", -0.2, 0.2), ("riv", 0.5, 1.5))], epsilon=1e-5)

    def scaled_norm(self, x):
        """As Caffe has it: normalization, then a Scale layer."""
        x = self.batch_norm(x)
        for op, low, high in (("Mul", 0.5, 1.5), ("Add", -0.5, 0.5)):
            vector = self.vector(self.channels[x], low, high, f"scale{self.count}")
            x = self.add(op, [x, self.add("Unsqueeze", [vector], axes=[1, 2])])
        return x

    def pool(self, x, kernel, stride, pads=(0, 0, 0, 0), op="MaxPool"):
        return self.add(op, [x], kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=list(pads))

    def lrn(self, x):
        return self.add("LRN", [x], size=5, alpha=1e-4, beta=0.75, bias=1.0)

    def concat(self, *parts):
        return self.add("Concat", list(parts), sum(self.channels[part] for part in parts), axis=1)

    def reshape(self, x, *dims):
        return self.add("Reshape", [x, self.initializer(np.array(dims, np.int64), f"shape{self.count}")],
                        dims[1])

    def gemm(self, x, outputs):
        name = f"fc{self.count}"
        inputs = [x, self.weight([outputs, self.channels[x]], f"{name}_w_0"),
                  self.vector(outputs, -0.1, 0.1, f"{name}_b_0")]
        return self.add("Gemm", inputs, outputs, transB=1)

    def dropout(self, x):
        return self.add("Dropout", [x], outputs=2, ratio=0.5)

    def hidden_gemm(self, x, outputs):
        return self.dropout(self.relu(self.gemm(x, outputs)))

    def softmax(self, x):
        """The probabilities of a moderate network are all about 0.001, and would hide an error."""
        return self.add("Softmax", [x]) if self.light else x

    def model(self, y, dims):
        info = [helper.make_tensor_value_info("data_0", TensorProto.FLOAT, IMAGE)]
        info += [helper.make_tensor_value_info(t.name, t.data_type, t.dims) for t in self.initializers]
        graph = helper.make_graph(self.nodes, "net", info,
                                  [helper.make_tensor_value_info(y, TensorProto.FLOAT, dims)],
                                  self.initializers)
        return helper.make_model(graph, ir_version=3, opset_imports=[helper.make_opsetid("", 9)])


CEIL = (0, 0, 1, 1)  # Caffe rounds the size of a pooled image up


def bvlc_alexnet(net):
    x = net.pool(net.lrn(net.conv_relu("data_0", 96, 11, 4)), 3, 2)
    x = net.pool(net.lrn(net.conv_relu(x, 256, 5, pad=2, group=2)), 3, 2, CEIL)
    x = net.conv_relu(x, 384, 3, pad=1)
    x = net.conv_relu(x, 384, 3, pad=1, group=2)
    x = net.pool(net.conv_relu(x, 256, 3, pad=1, group=2), 3, 2)
    x = net.hidden_gemm(net.hidden_gemm(net.reshape(x, 1, 9216), 4096), 4096)
    return net.softmax(net.gemm(x, 1000))


def zfnet512(net):
    x = net.pool(net.lrn(net.conv_relu("data_0", 96, 7, 2, 1)), 3, 2, CEIL)
    x = net.pool(net.lrn(net.conv_relu(x, 256, 5, 2)), 3, 2, CEIL)
    for channels in (512, 1024, 512):
        x = net.conv_relu(x, channels, 3, pad=1)
    x = net.hidden_gemm(net.reshape(net.pool(x, 3, 2), 1, 18432), 4096)
    return net.softmax(net.gemm(net.hidden_gemm(x, 4096), 1000))


def vgg19(net):
    x = "data_0"
    for channels, depth in (64, 2), (128, 2), (256, 4), (512, 4), (512, 4):
        for _ in range(depth):
            x = net.conv_relu(x, channels, 3, pad=1)
        x = net.pool(x, 2, 2)
    x = net.hidden_gemm(net.hidden_gemm(net.reshape(x, 1, 25088), 4096), 4096)
    return net.softmax(net.gemm(x, 1000))


def squeezenet(net):
    def fire(x, squeezed, expanded):
        x = net.conv_relu(x, squeezed, 1)
        return net.concat(net.conv_relu(x, expanded, 1), net.conv_relu(x, expanded, 3, pad=1))

    x = net.pool(net.conv_relu("data_0", 64, 3, 2), 3, 2)
    x = net.pool(fire(fire(x, 16, 64), 16, 64), 3, 2)
    x = net.pool(fire(fire(x, 32, 128), 32, 128), 3, 2)
    x = fire(fire(fire(fire(x, 48, 192), 48, 192), 64, 256), 64, 256)
    x = net.conv_relu(net.dropout(x), 1000, 1)
    return net.softmax(net.add("GlobalAveragePool", [x]))


def inception_v1(net):
    def inception(x, one, three_in, three, five_in, five, pooled):
        return net.concat(net.conv_relu(x, one, 1),
                          net.conv_relu(net.conv_relu(x, three_in, 1), three, 3, pad=1),
                          net.conv_relu(net.conv_relu(x, five_in, 1), five, 5, pad=2),
                          net.conv_relu(net.pool(x, 3, 1, (1, 1, 1, 1)), pooled, 1))

    x = net.lrn(net.pool(net.conv_relu("data_0", 64, 7, 2, 3), 3, 2, CEIL))
    x = net.conv_relu(net.conv_relu(x, 64, 1), 192, 3, pad=1)
    x = net.pool(net.lrn(x), 3, 2, CEIL)
    x = inception(x, 64, 96, 128, 16, 32, 32)
    x = net.pool(inception(x, 128, 128, 192, 32, 96, 64), 3, 2, CEIL)
    x = inception(x, 192, 96, 208, 16, 48, 64)
    x = inception(x, 160, 112, 224, 24, 64, 64)
    x = inception(x, 128, 128, 256, 24, 64, 64)
    x = inception(x, 112, 144, 288, 32, 64, 64)
    x = net.pool(inception(x, 256, 160, 320, 32, 128, 128), 3, 2, CEIL)
    x = inception(x, 256, 160, 320, 32, 128, 128)
    x = inception(x, 384, 192, 384, 48, 128, 128)
    x = net.dropout(net.pool(x, 7, 1, op="AveragePool"))
    return net.softmax(net.gemm(net.reshape(x, 1, 1024), 1000))


def inception_v2(net):
    def unit(x, *args, **kwargs):
        return net.relu(net.scaled_norm(net.conv(x, *args, **kwargs)))

    def towers(x, three_in, three, double_in, double, stride):
        return (unit(unit(x, three_in, 1), three, 3, stride, 1),
                unit(unit(unit(x, double_in, 1), double, 3, pad=1), double, 3, stride, 1))

    def inception(x, one, three_in, three, double_in, double, pooled, op="AveragePool"):
        pool = net.pool(x, 3, 1, (1, 1, 1, 1), op)
        return net.concat(unit(x, one, 1), *towers(x, three_in, three, double_in, double, 1),
                          unit(pool, pooled, 1))

    def reduction(x, three_in, three, double_in, double):
        return net.concat(*towers(x, three_in, three, double_in, double, 2), net.pool(x, 3, 2, CEIL))

    x = net.pool(unit("data_0", 64, 7, 2, 3), 3, 2, CEIL)
    x = net.pool(unit(unit(x, 64, 1), 192, 3, pad=1), 3, 2, CEIL)
    x = inception(x, 64, 64, 64, 64, 96, 32)
    x = reduction(inception(x, 64, 64, 96, 64, 96, 64), 128, 160, 64, 96)
    x = inception(x, 224, 64, 96, 96, 128, 128)
    x = inception(x, 192, 96, 128, 96, 128, 128)
    x = inception(x, 160, 128, 160, 128, 160, 128)
    x = reduction(inception(x, 96, 128, 192, 160, 192, 128), 128, 192, 192, 256)
    x = inception(x, 352, 192, 320, 160, 224, 128)
    x = inception(x, 352, 192, 320, 192, 224, 128, "MaxPool")
    x = net.reshape(net.pool(x, 7, 1, op="AveragePool"), 1, 1024)
    return net.softmax(net.gemm(x, 1000))


def resnet50(net):
    def unit(x, *args, **kwargs):
        return net.batch_norm(net.conv(x, *args, bias=False, **kwargs))

    def bottleneck(x, channels, stride, projected):
        y = net.relu(unit(x, channels, 1))
        y = unit(net.relu(unit(y, channels, 3, stride, 1)), 4 * channels, 1)
        shortcut = unit(x, 4 * channels, 1, stride) if projected else x
        return net.relu(net.add("Sum", [y, shortcut]))

    x = net.pool(net.relu(unit("data_0", 64, 7, 2, 3)), 3, 2, (1, 1, 1, 1))
    for stage, (channels, depth) in enumerate(((64, 3), (128, 4), (256, 6), (512, 3))):
        for i in range(depth):
            x = bottleneck(x, channels, 2 if i == 0 and stage > 0 else 1, i == 0)
    x = net.reshape(net.pool(x, 7, 1, op="AveragePool"), 1, 2048)
    return net.softmax(net.gemm(x, 1000))


def shufflenet(net, groups=3):
    def unit(x, *args, **kwargs):
        return net.batch_norm(net.conv(x, *args, bias=False, **kwargs))

    def shuffle(x, size):
        n = net.channels[x]
        x = net.reshape(x, 1, groups, n // groups, size, size)
        return net.reshape(net.add("Transpose", [x], perm=[0, 2, 1, 3, 4]), 1, n, size, size)

    def block(x, channels, stride, size, group):
        added = channels - net.channels[x] if stride == 2 else channels
        y = shuffle(net.relu(unit(x, channels // 4, 1, group=group)), size)
        y = unit(unit(y, channels // 4, 3, stride, 1, group=channels // 4), added, 1, group=groups)
        if stride == 2:
            pooled = net.pool(x, 3, 2, (1, 1, 1, 1), "AveragePool")
            return net.relu(net.concat(pooled, y))
        return net.relu(net.add("Sum", [y, x]))

    x = net.pool(net.relu(unit("data_0", 24, 3, 2, 1)), 3, 2, (1, 1, 1, 1))
    size = 56
    for channels, depth in (240, 4), (480, 8), (960, 4):
        x = block(x, channels, 2, size, 1 if size == 56 else groups)
        size //= 2
        for _ in range(depth - 1):
            x = block(x, channels, 1, size, groups)
    x = net.reshape(net.pool(x, 7, 1, op="AveragePool"), 1, 960)
    return net.softmax(net.gemm(x, 1000))


def densenet121(net):
    def unit(x, channels, kernel):
        x = net.relu(net.scaled_norm(x))
        return net.conv(x, channels, kernel, pad=kernel // 2, bias=False)

    x = net.relu(net.scaled_norm(net.conv("data_0", 64, 7, 2, 3, bias=False)))
    x = net.pool(x, 3, 2, (1, 1, 1, 1))
    for depth in (6, 12, 24, 16):
        for _ in range(depth):
            x = net.concat(x, unit(unit(x, 128, 1), 32, 3))
        if depth != 16:
            x = net.pool(unit(x, net.channels[x] // 2, 1), 2, 2, op="AveragePool")
    x = net.add("GlobalAveragePool", [net.relu(net.scaled_norm(x))])
    return net.conv(x, 1000, 1)


LARGE = (vgg19, zfnet512)
ARCHITECTURES = (bvlc_alexnet, densenet121, inception_v1, inception_v2, resnet50, shufflenet, squeezenet,
                 vgg19, zfnet512)


def build(architecture, light):
    """The model, and the name of its test."""
    net = Net(light)
    y = architecture(net)
    name = architecture.__name__
    image = name in ("densenet121", "squeezenet")
    return net.model(y, (1, 1000, 1, 1) if image else (1, 1000)), ("light_" if light else "") + name


def ramp():
    """The input that ONNX's runner gives light models: numbers that rise from 0 to 1."""
    count = int(np.prod(IMAGE))
    return (np.arange(count).reshape(IMAGE) / count).astype(np.float32)


def write_tensor(array, path):
    with open(path, "wb") as file:
        file.write(numpy_helper.from_array(array).SerializeToString())


def main(out):
    for architecture in ARCHITECTURES:
        for light in (True, False):
            model, name = build(architecture, light)
            test = f"{out}/{'large' if architecture in LARGE else 'small'}/test_{name}"
            os.makedirs(f"{test}/test_data_set_0", exist_ok=True)
            save(model, f"{test}/model.onnx")
            write_tensor(ramp(), f"{test}/test_data_set_0/input_0.pb")
            shutil.copy(f"{HERE}/architectures/{name}.pb", f"{test}/test_data_set_0/output_0.pb")


if __name__ == "__main__":
    main(sys.argv[1])
