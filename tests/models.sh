#!/bin/sh
# models.sh: models/train.py still makes the bundled models, byte for byte. Skipped without scikit-learn.
set -eu
cd "$(dirname "$0")/.."
/usr/bin/python3 -c 'import numpy, onnx, sklearn' 2>/dev/null || {
    echo "models: skipped, python3-sklearn or python3-onnx is not installed"
    exit 77
}
made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT
/usr/bin/python3 models/train.py "$made"
for file in digits/model.onnx digits/config.json digits/digits.csv digits/labels.csv digits/examples/one.json \
    digits/examples/seven.json digits/examples/one.v2.json digits/examples/one.f32 digits-dying/model.onnx digits-dying/config.json; do
    cmp "models/$file" "$made/$file"
done
