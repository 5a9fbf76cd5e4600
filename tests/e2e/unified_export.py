#!/usr/bin/env python3
"""ModelOpt's unified export as a road into FP8: the shipped checkpoint turned into that form is exported, passes octet check and
TensorRT for RTX, holds the form's own FP8 bytes, and gives the embeddings of fp32; octet says what the form has lost."""
import json
import shutil
import struct

import ml_dtypes
import numpy as np
import onnx
from common import BOUND, DATA, MODEL, TOWERS, cosines, load_json, ort_run, reference, running
from exports_accepted import tensorrt
from onnx import numpy_helper
from safetensors.numpy import load_file

FP8 = ml_dtypes.float8_e4m3fn
NAMES = {np.dtype(np.float16): "F16", np.dtype(np.float32): "F32", np.dtype(np.int64): "I64", np.dtype(FP8): "F8_E4M3"}
SCALES = {"weight_quantizer": "weight_scale", "input_quantizer": "input_scale", "k_bmm_quantizer": "k_proj.k_scale", "v_bmm_quantizer": "v_proj.v_scale"}


def export(folder):
    """Writes the shipped checkpoint as export_hf_checkpoint does; the FP8 weights by name."""
    folder.mkdir()
    given = load_file(MODEL / "model.safetensors")
    tensors = {name: value for name, value in given.items() if not name.endswith("._amax")}
    for name, amax in given.items():
        module, _, kind = name.removesuffix("._amax").rpartition(".")
        if kind not in SCALES:
            continue
        scale = (amax.astype(np.float32) / np.float32(448)).reshape(())
        tensors[f"{module}.{SCALES[kind]}"] = scale
        if kind == "weight_quantizer":  # the quotient is rounded to f16 before it becomes e4m3
            tensors[module + ".weight"] = (given[module + ".weight"].astype(np.float32) / scale).astype(np.float16).astype(FP8)
    header, at = {}, 0
    for name, value in tensors.items():
        header[name] = {"dtype": NAMES[value.dtype], "shape": value.shape, "data_offsets": [at, at + value.nbytes]}
        at += value.nbytes
    text = json.dumps(header).encode()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + b"".join(v.tobytes() for v in tensors.values()))
    for file in MODEL.iterdir():
        if file.suffix in (".json", ".txt") and file.name != "config.json":
            shutil.copy(file, folder)
    config = json.loads((MODEL / "config.json").read_text())
    config["quantization_config"] = {"quant_algo": "FP8", "quant_method": "modelopt", "ignore": ["*embeddings*"], "producer": {"name": "modelopt"}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "hf_quant_config.json").write_text(json.dumps({"producer": {"name": "modelopt", "version": "0.47.0"}, "quantization": {
        "quant_algo": "FP8", "kv_cache_quant_algo": "FP8", "exclude_modules": ["*embeddings*"]}}))
    return {name: value for name, value in tensors.items() if value.dtype == FP8}


if __name__ == "__main__":
    with running(__doc__) as run:
        weights = export(run.scratch / "unified")
        told = run.octet("export", run.scratch / "unified", "-o", run.scratch / "onnx").stderr
        run.check("has lost those of q, the softmax and the output" in told, "export says which scales the form has lost")
        refused = run.octet("quantize", run.scratch / "unified", "--calib-images", DATA / "calib.tar", "--calib-texts", DATA / "calib_texts.txt",
                            "-o", run.scratch / "again", code=4).stderr
        run.check("FP8 codes already" in refused, "quantize refuses FP8 codes as weights")
        paths = {tower: run.scratch / "onnx" / f"{tower}.onnx" for tower in TOWERS}
        verdicts, seen = tensorrt(paths.values()), 0
        for tower, path in paths.items():
            run.equal(f"{tower}: octet check's violations", load_json(run.octet("check", path, "--json").stdout)["violations"], [])
            run.check(verdicts[str(path)]["engine_bytes"] is not None, f"{tower}: TensorRT for RTX builds it {verdicts[str(path)]['errors'][:1] or ''}")
            for one in onnx.load(path).graph.initializer:
                if one.name in weights:
                    seen += 1
                    if not np.array_equal(numpy_helper.to_array(one).view(np.uint8), weights[one.name].T.view(np.uint8)):
                        run.check(False, f"{one.name}: other codes than the file's")
            count = 128 if tower == "image" else 120
            out, peer = run.infer(path, run.inputs(tower, count)), ort_run(path, run.inputs(tower, count))
            run.at_least(f"{tower}: mean cosine to onnxruntime", cosines(out, peer).mean(), BOUND["fp8"])
            run.at_least(f"{tower}: mean cosine to fp32", cosines(out, reference()[f"{tower}_embeds"][:count]).mean(), BOUND["fp8"])
        run.equal("FP8 weights equal to the file's, code by code", seen, len(weights))
