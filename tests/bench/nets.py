"""Image networks as PyTorch exports them: weights in the file, the batch free, operator set 13. The
weights are random, drawn so that the numbers stay moderate from layer to layer."""
import sys
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper

sys.path.append(str(Path(__file__).resolve().parents[1] / "conformance"))
from architectures import Net, resnet50


class Stored(Net):
    """A network all of whose weights are in the file."""

    def __init__(self, image):
        super().__init__(light=False)
        self.image = image
        self.channels["data_0"] = image[0]

    def weight(self, dims, name):
        return self.initializer(self.normal(dims) * np.float32(np.sqrt(2 / np.prod(dims[1:]))), name)

    def reshape(self, x, *dims):
        """The first dimension is the batch, whatever it is."""
        return super().reshape(x, 0, *dims[1:])

    def relu6(self, x):
        bounds = [self.initializer(np.float32(bound), f"{name}{self.count}")
                  for name, bound in (("low", 0), ("high", 6))]
        return self.add("Clip", [x, *bounds])

    def unit(self, x, *args, **kwargs):
        return self.batch_norm(self.conv(x, *args, bias=False, **kwargs))

    def sum(self, x, y):
        return self.add("Add", [x, y])

    def pooled(self, x):
        return self.reshape(self.add("GlobalAveragePool", [x]), 1, self.channels[x])

    def stored(self, y, outputs):
        ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", *dims])
                for name, dims in (("data_0", self.image), (y, (outputs,)))]
        graph = helper.make_graph(self.nodes, "net", ends[:1], ends[1:], self.initializers)
        return helper.make_model(graph, producer_name="relud bench", ir_version=8,
                                 opset_imports=[helper.make_opsetid("", 13)])


def lenet5(net):
    """LeCun et al. 1998, with ReLU and max-pooling as it is trained today."""
    x = net.pool(net.conv_relu("data_0", 6, 5, pad=2), 2, 2)
    x = net.reshape(net.pool(net.conv_relu(x, 16, 5), 2, 2), 1, 400)
    return net.gemm(net.relu(net.gemm(net.relu(net.gemm(x, 120)), 84)), 10)


def resnet20(net):
    """He et al. 2015, section 4.2: for 32x32 pictures, with projections where the size changes."""
    x = net.relu(net.unit("data_0", 16, 3, pad=1))
    for stage, channels in enumerate((16, 32, 64)):
        for block in range(3):
            stride = 2 if stage and not block else 1
            y = net.unit(net.relu(net.unit(x, channels, 3, stride, 1)), channels, 3, pad=1)
            shortcut = net.unit(x, channels, 1, stride) if stride == 2 else x
            x = net.relu(net.sum(y, shortcut))
    return net.gemm(net.pooled(x), 10)


def mobilenetv2(net):
    """Sandler et al. 2018, table 2."""
    x = net.relu6(net.unit("data_0", 32, 3, 2, 1))
    for expansion, channels, depth, first_stride in (
            (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2),
            (6, 320, 1, 1)):
        for block in range(depth):
            stride, inner = first_stride if block == 0 else 1, expansion * net.channels[x]
            y = net.relu6(net.unit(x, inner, 1)) if expansion > 1 else x
            y = net.relu6(net.unit(y, inner, 3, stride, 1, group=inner))
            y = net.unit(y, channels, 1)
            x = net.sum(x, y) if stride == 1 and net.channels[x] == channels else y
    return net.gemm(net.pooled(net.relu6(net.unit(x, 1280, 1))), 1000)


# name: how it is built, one row of its input, its outputs
NETS = {"lenet5": (lenet5, (1, 28, 28), 10), "resnet20": (resnet20, (3, 32, 32), 10),
        "resnet50": (resnet50, (3, 224, 224), 1000), "mobilenetv2": (mobilenetv2, (3, 224, 224), 1000)}


def build(name):
    function, image, outputs = NETS[name]
    net = Stored(image)
    return net.stored(function(net), outputs)
