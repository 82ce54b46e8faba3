"""What `make bench` measures, and what the figures must show."""
from dataclasses import dataclass

BATCHES = (1, 4, 16, 64, 256)
HIDDEN = (50, 80, 90, 95)
DENSE_PEERS = ("onednn", "openblas", "ort")


@dataclass(frozen=True)
class Case:
    """A network; rows and threads of a run; percent of zeros among its inputs and the outputs of its
    hidden layers, None where they are what they are."""
    net: str
    rows: int
    threads: int = 1
    inputs: int = None
    hidden: int = None

    @property
    def name(self):
        zeros = "".join(f"/{kind}{share}" for kind, share in (("x", self.inputs), ("h", self.hidden))
                        if share is not None)
        return f"{self.net}{zeros}/b{self.rows}/t{self.threads}"

    @property
    def dense(self):
        return self.net.startswith(("digits", "mlp", "dense"))

    @property
    def contenders(self):
        if not self.dense:
            return ("full", "off", "ort")
        folded = ("folded",) if self.net in ("digits", "mlp784") and self.rows == 1 else ()
        return ("full", "off", "counts", *folded, *DENSE_PEERS)


def all_cases(threads):
    """Zeros among the inputs of a single layer stand for those that a hidden layer before it would
    leave."""
    for t in threads:
        for rows in BATCHES:
            yield Case("digits", rows, t)
            for inputs in (0, 80):
                for hidden in HIDDEN:
                    yield Case("mlp784", rows, t, inputs, hidden)
                    yield Case("mlp4096", rows, t, inputs, hidden)
            for inputs in (0, *HIDDEN):
                yield Case("dense512", rows, t, inputs)
                yield Case("dense4096", rows, t, inputs)
        for net, rows in (("lenet5", 1), ("resnet20", 1), ("mobilenetv2", 1), ("resnet50", 1),
                          ("resnet50", 8)):
            yield Case(net, rows, t)


@dataclass(frozen=True)
class Target:
    """What a case must show: at least floor times ONNX Runtime's speed, better aim."""
    what: str
    case: Case
    floor: float
    aim: float = None


TARGETS = tuple(
    [Target(f"dense, {net}, batch {rows}", Case(net, rows, 1, 0, hidden), 0.97, 1.05)
     for net, hidden in (("mlp784", 50), ("dense512", None)) for rows in (64, 256)]
    + [Target("100 MB MLP, batch 64", Case("mlp4096", 64, 1, 0, 50), 0.95, 1.1),
       Target("digits, batch 1", Case("digits", 1), 7, 9),
       Target("digits, batch 64", Case("digits", 64), 1.35, 1.5),
       Target("784-512-512-10, batch 1, hidden zeros 50 %", Case("mlp784", 1, 1, 0, 50), 1.7),
       Target("same, input zeros 80 %", Case("mlp784", 1, 1, 80, 50), 6),
       Target("same, input zeros 80 %, hidden zeros 90 %", Case("mlp784", 1, 1, 80, 90), 10),
       Target("4096x4096, batch 1, zeros 90 %", Case("dense4096", 1, 1, 90), 9),
       Target("784-512-512-10, batch 1, two threads", Case("mlp784", 1, 2, 0, 50), 1.8)]
    + [Target(f"ResNet-50, batch {rows}, {threads} thread{'s' * (threads > 1)}",
              Case("resnet50", rows, threads), 0.8, 1)
       for rows in (1, 8) for threads in (1, 2)]
    + [Target("MobileNetV2", Case("mobilenetv2", 1), 0.8, 1),
       Target("LeNet-5", Case("lenet5", 1), 2, 4),
       Target("ResNet-20", Case("resnet20", 1), 1, 1.5)])


@dataclass(frozen=True)
class Cost:
    """What level full may cost over off, as a share."""
    case: Case
    most: float


COSTS = tuple(Cost(case, most) for case, most in (
    (Case("digits", 1), 0.03), (Case("digits", 64), 0.03), (Case("mlp784", 1, 1, 0, 50), 0.01),
    (Case("mlp784", 1, 1, 80, 90), 0.01), (Case("dense4096", 1, 1, 90), 0.01), (Case("mlp784", 64, 1, 0, 50), 0.01),
    (Case("dense512", 64, 1, 0), 0.01), (Case("mlp4096", 64, 1, 0, 50), 0.01)))


def quick_cases(threads):
    wanted = dict.fromkeys([target.case for target in TARGETS] + [cost.case for cost in COSTS])
    return [case for case in wanted if case.threads in threads]
