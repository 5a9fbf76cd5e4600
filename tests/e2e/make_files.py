#!/usr/bin/env python3
"""Fixture of the end-to-end tests: every exported file, the main four as engines, and the preprocessed evaluation pictures."""
import shutil

import numpy as np
from common import DATA, EXPORTS, MODEL, TOWERS, preprocessed, reference, running


with running(__doc__) as run:
    array, labels = preprocessed(run.tools / "preprocess", DATA / "eval.tar", MODEL)
    run.equal("labels of eval.tar are those of the reference", labels, reference()["labels"])
    np.save(run.work / "pixels.npy", array.astype(np.float16))
    np.save(run.work / "bytes.npy", preprocessed(run.tools / "preprocess", DATA / "eval.tar", MODEL, normalised=False)[0])
    for name, flags in EXPORTS.items():
        shutil.rmtree(run.work / name, ignore_errors=True)
        run.octet("export", MODEL, "--quiet", "-o", run.work / name, *flags)
    files = [run.onnx(name, tower) for name in EXPORTS for tower in TOWERS]
    run.equal("exported files", sum(f.is_file() for f in files), 2 * len(EXPORTS))
    for precision in ("fp8", "fp16"):
        for tower in TOWERS:
            run.build(run.onnx(precision, tower), run.plan(precision, tower))
