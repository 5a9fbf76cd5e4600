#!/usr/bin/env python3
"""Fixture of the end-to-end tests: every exported file, the main four as engines, and the preprocessed evaluation pictures."""
import shutil
import struct
import subprocess
import tarfile

import numpy as np
from common import DATA, EXPORTS, MODEL, TOWERS, reference, running


def pixels(tool):
    """The evaluation pictures as octet preprocesses them, f16 [1000, 3, 32, 32], and their labels."""
    with tarfile.open(DATA / "eval.tar") as tar:
        parts = {m.name: tar.extractfile(m).read() for m in tar if m.isfile()}
    keys = sorted(name[:-4] for name in parts if name.endswith(".jpg"))
    request = b"".join(struct.pack("<I", len(parts[k + ".jpg"])) + parts[k + ".jpg"] for k in keys)
    answer = subprocess.run([str(tool), "clip", str(MODEL)], input=request, stdout=subprocess.PIPE, check=True).stdout
    item = 8 + 3 * 32 * 32 * 4
    assert len(answer) == item * len(keys), "a picture was refused"
    rows = np.frombuffer(answer, np.uint8).reshape(len(keys), item)[:, 8:]
    return rows.copy().view(np.float32).reshape(-1, 3, 32, 32).astype(np.float16), np.array([int(parts[k + ".cls"]) for k in keys])


with running(__doc__) as run:
    array, labels = pixels(run.tools / "preprocess")
    run.equal("labels of eval.tar are those of the reference", labels, reference()["labels"])
    np.save(run.work / "pixels.npy", array)
    for name, flags in EXPORTS.items():
        shutil.rmtree(run.work / name, ignore_errors=True)
        run.octet("export", MODEL, "--quiet", "-o", run.work / name, *flags)
    files = [run.onnx(name, tower) for name in EXPORTS for tower in TOWERS]
    run.equal("exported files", sum(f.is_file() for f in files), 2 * len(EXPORTS))
    for precision in ("fp8", "fp16"):
        for tower in TOWERS:
            run.build(run.onnx(precision, tower), run.plan(precision, tower))
