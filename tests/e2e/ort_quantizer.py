#!/usr/bin/env python3
"""FP8 files of onnxruntime's own quantizer (quantize_static, FLOAT8E4M3FN, products alone) on octet's f32 exports: weights folded or with
Q and DQ, per tensor or per channel, shared pairs or one for each reader. All compile to the steps of octet's FP8 export, folded and
unfolded weights to the same embeddings; the codes are onnxruntime's and the exact reference's. So are those of the quantizer's default,
which rounds what products give, too: bias, activation and residual are then steps of their own, and attention is four."""
import logging

import numpy as np
import onnx
from common import BOUND, DATA, MODEL, TOWERS, cosines, load_json, ort_run, preprocessed, reference, running, tokenized
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static

INPUT = {"image": "pixel_values", "text": "input_ids"}
INPUTS_ALONE = {"OpTypesToExcludeOutputQuantization": ["MatMul"]}
WAYS = {  # beside INPUTS_ALONE
    "folded": {},
    "unfolded": {"AddQDQPairToWeight": True},
    "a pair for each reader": {"DedicatedQDQPair": True},
}


class Calibration(CalibrationDataReader):
    def __init__(self, name, rows, items=16):
        self.batches = iter([{name: rows[i:i + items]} for i in range(0, len(rows), items)])

    def get_next(self):
        return next(self.batches, None)


def quantize(run, tower, rows, name, per_channel, options):
    out = run.scratch / f"{tower}_{name.replace(' ', '_')}{'_channel' if per_channel else ''}.onnx"
    quantize_static(str(run.onnx("fp32", tower)), str(out), Calibration(INPUT[tower], rows), quant_format=QuantFormat.QDQ, op_types_to_quantize=["MatMul"],
                    activation_type=QuantType.QFLOAT8E4M3FN, weight_type=QuantType.QFLOAT8E4M3FN, calibrate_method=CalibrationMethod.Distribution,
                    per_channel=per_channel, extra_options=options)
    return out


def kinds(run, path):
    return [(kind, problem.split(":")[1]) for _, kind, _, problem, _ in run.steps(f"--onnx={path}") if kind in ("gemm", "attention")]


def with_rounded_outputs(kinds):
    """The steps of a tower whose products' outputs are quantized, too, from those without."""
    linear = ["gemm", "pointwise"]
    layer = ["norm", *["gemm"] * 3, *["pointwise"] * 3, "scores", "fake_quantize", "softmax", "values", *linear, "norm", *linear, *linear]
    clean = ["norm", "gemm", "attention", "gemm", "norm", "gemm", "gemm"]
    at, layers = kinds.index("attention") - 2, kinds.count("attention")
    assert kinds[at:at + len(clean) * layers] == clean * layers and kinds[-1] == "gemm"
    return kinds[:at] + layer * layers + kinds[at + len(clean) * layers:] + ["fake_quantize"]


def judge(run, tower, path, label, rounded=False):
    given = run.inputs(tower, 32)
    steps, clean = ([kind for _, kind, _, _, _ in run.steps(f"--onnx={file}")] for file in (path, run.onnx("fp8", tower)))
    run.equal(f"{label}: kinds of steps", sorted(steps) if rounded else steps, sorted(with_rounded_outputs(clean)) if rounded else clean)
    run.check(all(types.startswith("e4m3") for _, types in kinds(run, path)), f"{label}: every product and attention multiplies e4m3")
    mine = run.infer(path, given, name=INPUT[tower])
    run.at_least(f"{label}: mean cosine to onnxruntime on the same file", cosines(mine, ort_run(path, given)).mean(), BOUND["fp8"])
    np.save(run.scratch / "input.npy", given[:2])
    flags = ["--input", f"{INPUT[tower]}={run.scratch}/input.npy"]
    (forced,) = load_json(run.octet("compare", path, "--teacher-forced", "--json", "--quiet", *flags, code=None).stdout)["forced"]
    run.equal(f"{label}: values of {len(forced['steps'])} steps beyond their bound", sum(s["unexplained"] for s in forced["steps"]), 0)
    return mine


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    with running(__doc__) as run:
        calibration = {"image": preprocessed(run.tools / "preprocess", DATA / "calib.tar", MODEL)[0][:64].astype(np.float32),
                       "text": tokenized(run.tools / "tokenize", DATA / "calib_texts.txt", MODEL)[:64]}
        for tower in TOWERS:
            for per_channel in (False, True):
                rows, ways = {}, dict(list(WAYS.items())[:2 if per_channel else None])
                for name, options in ways.items():
                    path = quantize(run, tower, calibration[tower], name, per_channel, {**INPUTS_ALONE, **options})
                    label = f"{tower}, {name}{', per channel' if per_channel else ''}"
                    rows[name] = judge(run, tower, path, label)
                    quantizers = [n for n in onnx.load(path).graph.node if n.op_type == "QuantizeLinear"]
                    print(f"      {label}: {len(quantizers)} Q, mean cosine to fp32 {cosines(rows[name], reference()[f'{tower}_embeds'][:32]).mean():.4f}")
                for name in list(ways)[1:]:
                    run.equal(f"{tower}, {name}{', per channel' if per_channel else ''}: embeddings of the folded file", rows[name], rows["folded"])
            for per_channel in (False, True):
                label = f"{tower}, outputs too{', per channel' if per_channel else ''}"
                path = quantize(run, tower, calibration[tower], "outputs", per_channel, {})
                mine = judge(run, tower, path, label, rounded=True)
                print(f"      {label}: mean cosine to fp32 {cosines(mine, reference()[f'{tower}_embeds'][:32]).mean():.4f}")
            told = run.octet("exec", f"--onnx={path}", "--skipInference", "--explain").stdout
            notes = [line for line in told.splitlines() if "OpTypesToExcludeOutputQuantization=['MatMul']" in line]
            run.at_least(f"{tower}: steps whose note names the option that saves them", len(notes), 10 * sum(s[1] == "scores" for s in run.steps(f"--onnx={path}")))
            advice = load_json(run.octet("check", path, "--json").stdout)["advice"]
            outputs = sum(n.op_type == "MatMul" for n in onnx.load(path).graph.node)
            run.check(0 < len(advice) <= outputs and all("OpTypesToExcludeOutputQuantization" in a["fix"] for a in advice), f"{tower}: check gives advice on {len(advice)} pairs behind {outputs} products")
            run.equal(f"{tower}: advice on the file without them", load_json(run.octet("check", run.onnx("fp8", tower), "--json").stdout)["advice"], [])
