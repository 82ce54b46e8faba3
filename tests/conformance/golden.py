"""Small random networks as PyTorch exports them, with PyTorch's own answers.

    golden.py OUT     writes OUT/test_NAME in the layout of ONNX's test data

Needs Debian's python3-torch (1.13), and is run only when a network is added or changed: the files it
writes are kept in golden/. The operator sets are spread over what that exporter can write, since it
writes the same network differently for different ones.
"""
import os
import shutil
import sys
import warnings

import torch
import torch.nn.functional as F
from onnx import numpy_helper
from torch import nn

ROWS = 2
CASES = {}


def case(opset, *shape, inputs=1, **options):
    """Enters a function that makes a module, which takes inputs of that shape."""
    def enter(make):
        CASES[make.__name__] = (make, opset, [shape] * inputs, options)
        return make
    return enter


class Lambda(nn.Module):
    """A function over modules."""

    def __init__(self, function, *modules):
        super().__init__()
        self.function, self.modules_ = function, nn.ModuleList(modules)

    def forward(self, *x):
        return self.function(*x, *self.modules_)


def unit(inputs, outputs, kernel, act=nn.ReLU, **options):
    """Convolution, normalization, activation."""
    layers = [nn.Conv2d(inputs, outputs, kernel, bias=False, **options), nn.BatchNorm2d(outputs)]
    return nn.Sequential(*layers, act()) if act else nn.Sequential(*layers)


def head(channels, outputs):
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, outputs))


# Image networks


@case(9, 1, 28, 28, keep_initializers_as_inputs=True)
def lenet():
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(),
        nn.MaxPool2d(2), nn.Flatten(), nn.Linear(400, 16), nn.ReLU(), nn.Dropout(), nn.Linear(16, 10),
        nn.Softmax(1))


@case(9, 3, 31, 31)
def alexnet():
    """With its overlapping pools and the normalization over channels, and the old way to flatten."""
    features = nn.Sequential(
        nn.Conv2d(3, 8, 7, stride=2), nn.ReLU(), nn.LocalResponseNorm(5), nn.MaxPool2d(3, 2),
        nn.Conv2d(8, 12, 3, padding=1, groups=2), nn.ReLU(), nn.MaxPool2d(3, 2, ceil_mode=True))
    classifier = nn.Linear(12 * 3 * 3, 5)
    return Lambda(lambda x, f, c: c(f(x).view(x.size(0), 12 * 3 * 3)), features, classifier)


@case(11, 3, 12, 12)
def vgg():
    return nn.Sequential(
        nn.Conv2d(3, 10, 3, padding=1), nn.BatchNorm2d(10), nn.ReLU(inplace=True),
        nn.Conv2d(10, 10, 3, padding=1), nn.ReLU(inplace=True), nn.MaxPool2d(2, 2),
        nn.AdaptiveAvgPool2d((3, 3)), nn.Flatten(), nn.Linear(90, 12), nn.ReLU(), nn.Linear(12, 4))


@case(13, 16, 9, 9)
def resnet():
    """A block with a shortcut, and one with a projection."""
    def block(x, body, shortcut):
        return F.relu(body(x) + shortcut(x))

    plain = nn.Sequential(unit(16, 16, 3, padding=1), unit(16, 16, 3, None, padding=1))
    strided = nn.Sequential(unit(16, 8, 1), unit(8, 8, 3, stride=2, padding=1), unit(8, 24, 1, None))
    return nn.Sequential(Lambda(block, plain, nn.Identity()),
                         Lambda(block, strided, unit(16, 24, 1, None, stride=2)), head(24, 5))


@case(12, 16, 7, 7, training=torch.onnx.TrainingMode.PRESERVE, do_constant_folding=False)
def preactivation():
    """Normalization and ReLU before the convolution, exported without folding anything."""
    def block(x, body):
        return x + body(x)

    body = nn.Sequential(nn.BatchNorm2d(16), nn.ReLU(), nn.Conv2d(16, 16, 3, padding=1, bias=False),
                         nn.BatchNorm2d(16), nn.ReLU(), nn.Conv2d(16, 16, 1))
    return nn.Sequential(Lambda(block, body), nn.ReLU(), head(16, 3))


def inverted_residual():
    def block(x, body):
        return x + body(x)

    body = nn.Sequential(unit(8, 24, 1, nn.ReLU6), unit(24, 24, 3, nn.ReLU6, padding=1, groups=24),
                         unit(24, 8, 1, None))
    return nn.Sequential(unit(3, 8, 3, nn.ReLU6, stride=2, padding=1), Lambda(block, body), head(8, 7))


@case(10, 3, 17, 17)
def mobilenet_clip_attributes():
    return inverted_residual()


@case(13, 3, 17, 17)
def mobilenet_clip_inputs():
    return inverted_residual()


@case(11, 12, 8, 8)
def densenet():
    def layer(inputs):
        return nn.Sequential(nn.BatchNorm2d(inputs), nn.ReLU(), nn.Conv2d(inputs, 20, 1, bias=False),
                             nn.BatchNorm2d(20), nn.ReLU(), nn.Conv2d(20, 6, 3, padding=1, bias=False))

    def grow(x, *layers):
        for layer in layers:
            x = torch.cat([x, layer(x)], 1)
        return x

    block = Lambda(grow, *(layer(12 + 6 * i) for i in range(3)))
    transition = nn.Sequential(nn.BatchNorm2d(30), nn.ReLU(), nn.Conv2d(30, 10, 1, bias=False),
                               nn.AvgPool2d(2, 2))
    return nn.Sequential(block, transition, nn.Flatten(), nn.Linear(160, 4))


@case(14, 10, 9, 9)
def inception():
    def branches(x, *parts):
        return torch.cat([part(x) for part in parts], 1)

    return nn.Sequential(
        Lambda(branches, unit(10, 5, 1), nn.Sequential(unit(10, 6, 1), unit(6, 8, (1, 3), padding=(0, 1))),
               nn.Sequential(unit(10, 3, 1), unit(3, 7, 5, padding=2)),
               nn.Sequential(nn.AvgPool2d(3, 1, 1), unit(10, 4, 1)),
               nn.Sequential(nn.AvgPool2d(3, 1, 1, count_include_pad=False), nn.MaxPool2d(3, 1, 1))),
        nn.MaxPool2d(3, 2, ceil_mode=True), head(34, 6))


@case(12, 16, 6, 6)
def shufflenet():
    """The batch is read from the input, as shapes that must not be fixed are."""
    def shuffle(x, groups=4):
        n, c, h, w = x.size()
        return x.view(n, groups, c // groups, h, w).transpose(1, 2).contiguous().view(n, -1, h, w)

    def block(x, first, rest):
        left, right = x.chunk(2, 1)
        return shuffle(torch.cat([left, rest(shuffle(first(right), 2))], 1))

    first = unit(8, 8, 1, groups=2)
    rest = nn.Sequential(unit(8, 8, 3, None, padding=1, groups=8), unit(8, 8, 1))
    return nn.Sequential(Lambda(block, first, rest), Lambda(lambda x: x.mean([2, 3])), nn.Linear(16, 5))


@case(11, 8, 10, 10)
def squeezenet():
    def fire(x, squeeze, one, three):
        x = F.relu(squeeze(x))
        return torch.cat([F.relu(one(x)), F.relu(three(x))], 1)

    return nn.Sequential(Lambda(fire, nn.Conv2d(8, 4, 1), nn.Conv2d(4, 8, 1), nn.Conv2d(4, 8, 3, padding=1)),
                         nn.MaxPool2d(3, 2, ceil_mode=True), nn.Dropout(), nn.Conv2d(16, 6, 1), nn.ReLU(),
                         nn.AdaptiveAvgPool2d((1, 1)), nn.Flatten(), nn.LogSoftmax(1))


def squeeze_excite():
    def excite(x, down, up):
        return x * F.hardsigmoid(up(F.relu(down(F.adaptive_avg_pool2d(x, 1)))))

    return nn.Sequential(unit(3, 12, 3, nn.Hardswish, stride=2, padding=1),
                         Lambda(excite, nn.Conv2d(12, 4, 1), nn.Conv2d(4, 12, 1)),
                         unit(12, 12, 5, nn.Hardswish, padding=2, groups=12), unit(12, 8, 1, None),
                         head(8, 5))


@case(9, 3, 11, 11)
def squeeze_excite_written_out():
    return squeeze_excite()


@case(14, 3, 11, 11)
def squeeze_excite_named():
    return squeeze_excite()


@case(16, 3, 13, 13)
def efficientnet():
    def excite(x, down, up):
        return x * torch.sigmoid(up(F.silu(down(x.mean((2, 3), keepdim=True)))))

    return nn.Sequential(unit(3, 10, 3, nn.SiLU, stride=2, padding=1),
                         unit(10, 10, 3, nn.SiLU, padding=1, groups=10),
                         Lambda(excite, nn.Conv2d(10, 3, 1), nn.Conv2d(3, 10, 1)),
                         unit(10, 6, 1, None), nn.Flatten(1), nn.Linear(6 * 49, 4))


@case(17, 6, 8, 8)
def convnext():
    """Without its normalization over channels: depthwise 7 x 7, dense layers over the last axis."""
    scale = nn.Linear(6, 6, bias=False)  # stands in for the layer's own scale

    def block(x, depthwise, wide, narrow, scale):
        y = narrow(F.gelu(wide(depthwise(x).permute(0, 2, 3, 1))))
        return x + (y * scale.weight[0]).permute(0, 3, 1, 2)

    body = Lambda(block, nn.Conv2d(6, 6, 7, padding=3, groups=6), nn.Linear(6, 24), nn.Linear(24, 6), scale)
    return nn.Sequential(body, head(6, 3))


@case(11, 4, 15, 14)
def dilated():
    return nn.Sequential(nn.Conv2d(4, 20, 3, padding=2, dilation=2), nn.ReLU(),
                         nn.Conv2d(20, 6, (3, 2), stride=(2, 1), groups=2), nn.LeakyReLU(0.2),
                         nn.MaxPool2d(3, 1, dilation=2), nn.ZeroPad2d((1, 2, 0, 1)), nn.Conv2d(6, 2, 3))


@case(13, 5, 40)
def signal():
    return nn.Sequential(nn.Conv1d(5, 8, 5, stride=2), nn.BatchNorm1d(8), nn.ReLU(), nn.MaxPool1d(2),
                         nn.Conv1d(8, 12, 3, padding=1), nn.ELU(), nn.AvgPool1d(3, 2, 1), nn.Flatten(),
                         nn.Linear(60, 3))


@case(13, 2, 5, 6, 7)
def volume():
    return nn.Sequential(nn.Conv3d(2, 6, 3, padding=1), nn.BatchNorm3d(6), nn.ReLU(), nn.MaxPool3d(2),
                         nn.Flatten(), nn.Linear(6 * 2 * 3 * 3, 3))


@case(13, 2, 8, 8)
def autoencoder():
    return nn.Sequential(
        unit(2, 8, 3, stride=2, padding=1), nn.Conv2d(8, 6, 3, stride=2, padding=1), nn.ReLU(), nn.Flatten(),
        nn.Linear(24, 24), nn.ReLU(), Lambda(lambda x: x.view(-1, 6, 2, 2)), nn.ConvTranspose2d(6, 8, 4, 2, 1),
        nn.BatchNorm2d(8), nn.ReLU(), nn.ConvTranspose2d(8, 2, 3, 2, 1, output_padding=1, groups=2), nn.Sigmoid())


# Networks of dense layers


def policy():
    """Two outputs, as an actor and a critic are exported."""
    body = nn.Sequential(nn.Linear(11, 32), nn.Tanh(), nn.Linear(32, 32), nn.ELU(0.7), nn.Linear(32, 24),
                         nn.PReLU(), nn.Linear(24, 24), nn.PReLU(24))

    def act(x, body, mean, value):
        x = body(x)
        return torch.tanh(mean(x)), value(x)

    return Lambda(act, body, nn.Linear(24, 4), nn.Linear(24, 1))


@case(9, 11)
def policy_9():
    return policy()


@case(15, 11)
def policy_15():
    return policy()


def smooth():
    return nn.Sequential(nn.Linear(9, 20), nn.GELU(), nn.Linear(20, 20), nn.SiLU(), nn.Linear(20, 20),
                         nn.Mish(), nn.Linear(20, 20), nn.Hardswish(), nn.Linear(20, 20),
                         nn.GELU(approximate="tanh"), nn.Linear(20, 5))


@case(10, 9)
def smooth_10():
    return smooth()


@case(17, 9)
def smooth_17():
    return smooth()


@case(13, 9)
def activations():
    """The rest of the family."""
    return nn.Sequential(nn.Linear(9, 16), nn.SELU(), nn.Linear(16, 16), nn.CELU(0.5), nn.Linear(16, 16),
                         nn.LeakyReLU(), nn.Linear(16, 16), nn.Softplus(), nn.Linear(16, 16),
                         nn.Threshold(0.0, 0.0), nn.Linear(16, 16), nn.RReLU(), nn.Linear(16, 16),
                         nn.Sigmoid(), nn.Linear(16, 16), nn.Hardtanh(-0.5, 0.5), nn.Linear(16, 4),
                         nn.LogSoftmax(-1))


@case(13, 12)
def normalized():
    """Dense layers with normalization, a shared slope, and a standardized input."""
    def standardize(x, norm):
        return (x - norm.bias) / (norm.weight.abs() + 0.5)

    return nn.Sequential(Lambda(standardize, nn.BatchNorm1d(12)), nn.Linear(12, 20, bias=False),
                         nn.BatchNorm1d(20), nn.PReLU(), nn.Linear(20, 20), nn.ReLU(),
                         nn.BatchNorm1d(20), nn.Linear(20, 3))


@case(14, 7, inputs=2)
def siamese():
    """Two inputs through the same layers, which are in the file once."""
    def compare(a, b, body, last):
        a, b = body(a), body(b)
        return last(torch.cat([torch.abs(a - b), a * b, torch.max(a, b)], 1))

    body = nn.Sequential(nn.Linear(7, 16), nn.ReLU(), nn.Linear(16, 12), nn.ReLU())
    return Lambda(compare, body, nn.Linear(36, 2))


def randomize(module):
    """Running means, variances and scales that are not those of an untrained network."""
    for part in module.modules():
        if isinstance(part, (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)):
            part.running_mean.normal_(0, 0.3)
            part.running_var.uniform_(0.5, 1.5)
            part.weight.data.uniform_(-0.5, 1.5)
            part.bias.data.normal_(0, 0.3)


def write_tensors(kind, tensors, directory):
    for i, tensor in enumerate(tensors):
        with open(f"{directory}/{kind}_{i}.pb", "wb") as file:
            file.write(numpy_helper.from_array(tensor.numpy()).SerializeToString())


def write(name, directory):
    make, opset, shapes, options = CASES[name]
    torch.manual_seed(sum(name.encode()))
    module = make().eval()
    randomize(module)
    x = [torch.randn(ROWS, *shape) for shape in shapes]
    y = module(*x)
    y = y if isinstance(y, tuple) else (y,)
    names = [f"x{i}" for i in range(len(x))] + [f"y{i}" for i in range(len(y))]
    shutil.rmtree(directory, ignore_errors=True)
    os.makedirs(f"{directory}/test_data_set_0")
    torch.onnx.export(module, tuple(x), f"{directory}/model.onnx", opset_version=opset,
                      input_names=names[:len(x)], output_names=names[len(x):],
                      dynamic_axes={name: {0: "rows"} for name in names}, **options)
    write_tensors("input", x, f"{directory}/test_data_set_0")
    write_tensors("output", y, f"{directory}/test_data_set_0")


def main(out):
    warnings.simplefilter("ignore")
    for name in CASES:
        write(name, f"{out}/test_{name}")


if __name__ == "__main__":
    with torch.no_grad():
        main(sys.argv[1])
