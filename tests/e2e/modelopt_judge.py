"""What nvidia-modelopt wrote for a CLIP (tests/tools/modelopt_fixtures.py), judged: the checkpoint's export and the mended raw ONNX files
pass octet check, onnx.checker, TensorRT for RTX and onnxruntime; octet computes what onnxruntime computes, and every step what the exact
reference does; weight codes are ModelOpt's own, or the correctly rounded ones."""
import json

import common
import ml_dtypes
import numpy as np
import onnx
from exports_accepted import tensorrt
from onnx import numpy_helper
from safetensors import safe_open

INPUT = {"text": "input_ids", "image": "pixel_values"}
E4M3 = ml_dtypes.float8_e4m3fn
QDQ = ("QuantizeLinear", "DequantizeLinear")


class Files:
    """ONNX files that octet may not fail on; TensorRT judges all at once, in the end."""

    def __init__(self, run):
        self.run, self.paths = run, []

    def judge(self, path, tower, given):
        """The embeddings, octet's."""
        run, name = self.run, f"{path.parent.name}/{path.name}"
        onnx.checker.check_model(str(path), full_check=True)
        run.equal(f"{name}: octet check's violations", common.load_json(run.octet("check", path, "--json").stdout)["violations"], [])
        out, peer = run.infer(path, given, name=INPUT[tower]), common.ort_run(path, given)
        # On random weights FP8 rounding makes much of little, in onnxruntime too (docs/decisions/0011): the embeddings' cosine is shown, steps are judged.
        print(f"      {name}: mean cosine to onnxruntime {common.cosines(out, peer).mean():.6f}")
        common.beside_onnxruntime(run, path, {INPUT[tower]: given}, name)
        np.save(run.scratch / "input.npy", given[:2])
        done = run.octet("compare", path, "--teacher-forced", "--json", "--quiet", "--rows", 16, "--input", f"{INPUT[tower]}={run.scratch / 'input.npy'}", code=None)
        steps = common.load_json(done.stdout)["forced"][0]["steps"]
        codes = sum(s["elements"] for s in steps if s["out_dtype"] == "e4m3")
        run.equal(f"{name}: values of {len(steps)} steps ({sum(s['elements'] for s in steps)} values, {codes} codes) beyond their bound", sum(s["unexplained"] for s in steps), 0)
        run.check(codes > 0, f"{name}: there are FP8 codes")
        self.paths.append(path)
        return out

    def finish(self):
        for path, verdict in tensorrt(self.paths).items():
            self.run.check(verdict["engine_bytes"] is not None, f"TensorRT for RTX builds {'/'.join(path.split('/')[-2:])}: {verdict['engine_bytes']} bytes {verdict['errors'][:1] or ''}")


def modules_of(raw):
    """ModelOpt's folded weights of a raw file: module -> (codes as a linear stores them, [out, in]; scale)."""
    graph, found = onnx.load(raw).graph, {}
    values = {i.name: i for i in graph.initializer}
    readers = {i: n for n in graph.node for i in n.input}
    for node in graph.node:
        if node.op_type != "DequantizeLinear" or not node.input[0].endswith("weight_quantizer/fp8_weights"):
            continue
        codes = numpy_helper.to_array(values[node.input[0]])
        if codes.ndim != 2 or "embedding" in node.input[0]:
            continue
        turned = readers[node.output[0]].op_type == "Transpose"  # not folded: as the checkpoint stores it
        module = node.input[0].removesuffix("/weight_quantizer/fp8_weights").strip("/").replace("/", ".")
        found[module] = (codes if turned else codes.T, numpy_helper.to_array(values[node.input[1]]))
    return found


def exported_codes(path):
    return {i.name.removesuffix(".weight"): numpy_helper.to_array(i).T for i in onnx.load(path).graph.initializer if i.data_type == onnx.TensorProto.FLOAT8E4M3FN and len(i.dims) == 2}


def judge_weights(run, case, raw, nearest, modelopt):
    """Every code of every linear, by both roundings."""
    theirs, mine, plain = modules_of(raw), exported_codes(modelopt), exported_codes(nearest)
    run.check(set(theirs) == set(mine) == set(plain) and len(theirs) > 12, f"{raw.parent.name}/{raw.name}: {len(theirs)} FP8 weights, the same modules")
    total = other = wrong = 0
    with safe_open(case / "model.safetensors", "np") as tensors:
        for module, (codes, scale) in theirs.items():
            total += codes.size
            other += int((codes.view(np.uint8) != mine[module].view(np.uint8)).sum())
            exact = (tensors.get_tensor(module + ".weight").astype(np.float32) / np.float32(scale)).clip(-448, 448).astype(E4M3)
            wrong += int((exact.view(np.uint8) != plain[module].view(np.uint8)).sum())
    run.equal(f"{raw.parent.name}/{raw.name}: --rounding modelopt: codes unlike ModelOpt's, of {total}", other, 0)
    run.equal(f"{raw.parent.name}/{raw.name}: by default: codes not correctly rounded, of {total}", wrong, 0)


def mend(run, raw, target, tower, *flags):
    """fix-types, and what it must have done."""
    run.octet("check", raw, "--json", code=None)
    told = common.load_json(run.octet("fix-types", raw, "-o", target, "--rename", f"x={INPUT[tower]}", "--json", *flags).stdout)
    run.equal(f"{raw.parent.name}/{raw.name}: violations left after {len(told['changes'])} changes", told["violations"], [])
    nodes = onnx.load(target).graph.node
    run.check(all(n.domain == "" and n.op_type != "Identity" and not n.op_type.startswith("TRT_") for n in nodes), f"{target.name}: standard operators alone")
    run.check(any(n.op_type in QDQ for n in nodes), f"{target.name}: Q/DQ are still there")
    return target


def judge_case(run, files, case, label, batch=4):
    """One folder of modelopt_fixtures.py; `label`: 0.47.0-l14-attention."""
    out = run.scratch / label
    out.mkdir()
    # At a width of 32 one code that flips between two roundings moves the whole embedding.
    lost = 0.02 if json.loads((case / "config.json").read_text())["text_config"]["hidden_size"] < 512 else 0.005
    expected = np.load(case / "expected.npz")
    given = {"text": expected["ids"][:batch], "image": expected["pixels"][:batch]}
    told = run.octet("export", case, "-o", out).stderr
    raws = sorted(case.glob("*_raw*.onnx"))
    if raws:
        run.octet("export", case, "-o", out / "modelopt", "--rounding", "modelopt", "--quiet")
    for tower in common.TOWERS:
        mine = files.judge(out / f"{tower}.onnx", tower, given[tower])
        plain, fake = expected[tower][:batch], expected[tower + "_fake"][:batch]
        # octet's q and k scales fit better than ModelOpt's: it may not lose more than ModelOpt's own simulation in PyTorch does.
        run.at_least(f"{label} {tower}: mean cosine to PyTorch without quantization", common.cosines(mine, plain).mean(), common.cosines(fake, plain).mean() - lost)
    for raw in raws:
        tower = raw.name.split("_")[0]
        flags = ["--dynamic-batch"] if raw.stem.endswith("_static") else []
        fixed = mend(run, raw, out / raw.name.replace("_raw", "_fixed"), tower, *flags)
        mended = files.judge(fixed, tower, given[tower])
        run.at_least(f"{label} {fixed.name}: mean cosine to PyTorch without quantization", common.cosines(mended, expected[tower][:batch]).mean(), 0.95)
        if "unconverted" not in raw.name:
            judge_weights(run, case, raw, out / f"{tower}.onnx", out / "modelopt" / f"{tower}.onnx")
    return told
