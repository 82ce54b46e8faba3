"""ONNX's node tests as files. onnx 1.12 uses names that newer NumPy has dropped: they are put back."""
import sys
import warnings
import numpy as np
warnings.simplefilter("ignore")
for name, kind in dict(bool=bool, int=int, float=float, complex=complex, object=object, str=str).items():
    if name not in np.__dict__:
        setattr(np, name, kind)
from onnx.backend.test.cmd_tools import main
sys.argv = ["backend-test-tools", "generate-data", "-o", sys.argv[1]]
main()
