#!/usr/bin/env python3
"""Files that nvidia-modelopt wrote (tests/fixtures/modelopt, tiny CLIPs of random weights): checkpoints restore, export and run, raw ONNX is
mended, versions 0.33 to 0.47 of the state say the same, and checkpoints that contradict themselves are refused by name."""
import hashlib
import io
import json
import pickle
import shutil
import struct
import tarfile
import zipfile

import numpy as np
import onnx
from common import ROOT, TOWERS, load_json, running
from modelopt_judge import Files, judge_case
from safetensors.numpy import load_file, save_file

FIXTURES = ROOT / "tests" / "fixtures" / "modelopt"
# What the export must say of a case: pieces of one line each. Nothing for the others.
NOTES = {
    "linear": ["layers.0.self_attn: attention in f16: no FP8 quantizer on q, k, v"],
    "partly": ["layers.1.self_attn: attention in f16: no FP8 quantizer on v; "],
    "wide": ["layers.*.layer_norm1.input_quantizer: 2 quantizers without a place", "patch_embedding.weight_quantizer: 1 quantizer without a place"],
}


def weights(file):
    """The FP8 matrices of an ONNX file, as codes [out, in], by name."""
    tensors = [t for t in onnx.load(file).graph.initializer if t.data_type == onnx.TensorProto.FLOAT8E4M3FN and len(t.dims) == 2]
    return {t.name: np.frombuffer(t.raw_data, np.uint8).reshape(t.dims).T for t in tensors}


def stored_weights(file):
    """Those of a safetensors file, its towers named once."""
    data = file.read_bytes()
    (size,) = struct.unpack("<Q", data[:8])
    header, found = json.loads(data[8 : 8 + size]), {}
    for name, entry in header.items():
        if entry.get("dtype") == "F8_E4M3":
            begin, end = (8 + size + at for at in entry["data_offsets"])
            once = name.replace("text_model.text_model.", "text_model.").replace("vision_model.vision_model.", "vision_model.")
            found[once] = np.frombuffer(data[begin:end], np.uint8).reshape(entry["shape"])
    return found


def unpacked(run, name):
    folder = run.scratch / name
    with tarfile.open(FIXTURES / f"{name}.tar.xz") as tar:
        tar.extractall(folder)
    return folder


def made_by(run, files, version):
    """Every case of a version, and the notes of its export."""
    for case in sorted(p.parent for p in unpacked(run, version).glob("*/*/expected.npz")):
        told = judge_case(run, files, case, f"{version}-{case.parent.name}-{case.name}")
        said = [line for line in told.splitlines() if "note: " in line]
        wanted = NOTES.get(case.name, [])
        run.check(all(any(piece in line for line in said) for piece in wanted) and bool(said) == bool(wanted), f"{version} {case.name}: {len(said)} notes {said[:1]}")
        if case.name in ("linear", "partly"):
            report = run.octet("exec", f"--onnx={run.scratch / f'{version}-{case.parent.name}-{case.name}' / 'image_fixed.onnx'}", "--skipInference", "--explain").stdout
            run.check("half quantized: the softmax is, q, k and v are not" in report, f"{version} {case.name}: the engine says that an attention is half quantized")


def states(run):
    """Checkpoints of one model by every version: the same graphs, bit for bit."""
    folders, graphs = sorted(p.parent for p in unpacked(run, "states").glob("*/*/*/modelopt_state.pth")), {}
    versions = sorted({f.parts[-3] for f in folders})
    for folder in folders:
        told = load_json(run.octet("inspect", folder, "--json").stdout)
        run.check(folder.parts[-3] in json.dumps(told), f"{'/'.join(folder.parts[-3:])}: inspect names the version")
        out = run.scratch / "-".join(folder.parts[-3:])
        run.octet("export", folder, "-o", out, "--quiet")
        ranges = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
        graphs.setdefault((folder.name, ranges), set()).add(b"".join((out / f"{t}.onnx").read_bytes() for t in TOWERS))
    run.check(versions[0].startswith("0.33") and versions[-1].startswith("0.47") and len(versions) >= 10, f"states of {' '.join(versions)}")
    # The plug-in has quantized more of attention with time; where the ranges are the same, so is the export.
    for (case, ranges), different in graphs.items():
        run.equal(f"{case}, tensors {ranges[:8]}: different exports", len(different), 1)
    run.equal("attention: different ranges", len([1 for case, _ in graphs if case == "attention"]), 1)


def unified(run):
    """ModelOpt's unified export: its towers are named twice, its FP8 weights are kept byte for byte."""
    folder = run.scratch / "0.47.0" / "tiny" / "attention"
    told = run.octet("export", folder / "unified", "-o", run.scratch / "unified")
    run.check("unified export: 26 FP8 linears" in told.stderr and "has lost those of q" in told.stderr, "the export says what the form has lost")
    stored, kept = stored_weights(folder / "unified" / "model.safetensors"), 0
    for tower in TOWERS:
        plan = run.scratch / f"unified-{tower}.plan"
        run.octet("check", run.scratch / "unified" / f"{tower}.onnx")
        run.octet("exec", f"--onnx={run.scratch / 'unified' / tower}.onnx", f"--saveEngine={plan}", "--skipInference")
        steps = load_json(run.octet("compare", plan, "--teacher-forced", "--json", "--quiet").stdout)["forced"][0]["steps"]
        run.equal(f"unified {tower}: elements outside the bound", sum(s["unexplained"] for s in steps), 0)
        codes = weights(run.scratch / "unified" / f"{tower}.onnx")
        run.equal(f"unified {tower}: FP8 weights unlike the file's", [name for name in codes if not np.array_equal(codes[name], stored[name])], [])
        kept += len(codes)
    run.equal("unified: FP8 weights of both towers", kept, len(stored))


class Evil:
    def __reduce__(self):
        return (print, ("this is not data",))


def with_state(folder, state):
    """Replaces the pickle inside the state file."""
    source = (folder / "modelopt_state.pth").read_bytes()
    with zipfile.ZipFile(io.BytesIO(source)) as old, zipfile.ZipFile(folder / "modelopt_state.pth", "w", zipfile.ZIP_STORED) as new:
        for item in old.infolist():
            new.writestr(item.filename, pickle.dumps(state, protocol=2) if item.filename.endswith("data.pkl") else old.read(item))


def refused(run, good):
    q = "vision_model.encoder.layers.0.self_attn.q_proj"

    def tensors(change):
        def apply(folder):
            values = load_file(folder / "model.safetensors")
            change(values)
            save_file(values, folder / "model.safetensors", {"format": "pt"})
        return apply

    def config(tower, **values):
        def apply(folder):
            whole = json.loads((folder / "config.json").read_text())
            whole[tower].update(values)
            (folder / "config.json").write_text(json.dumps(whole))
        return apply

    def amax(value):
        return tensors(lambda t: t.update({f"{q}.input_quantizer._amax": np.array(value, np.float16)}))

    cases = {
        "config and tensors contradict": (config("vision_config", hidden_size=96), ["`vision_model", "config.json makes it"]),
        "fewer layers than the config says": (config("text_config", num_hidden_layers=3), ["text_model.encoder.layers.2."]),
        "heads that do not divide the width": (config("vision_config", num_attention_heads=5), ["5 heads", "do not divide"]),
        "a missing amax": (tensors(lambda t: t.pop(f"{q}.input_quantizer._amax")), [f"`{q}.input_quantizer` is enabled", "_amax"]),
        "an extra amax": (tensors(lambda t: t.update({"vision_model.extra_quantizer._amax": np.array(1, np.float16)})), ["`vision_model.extra_quantizer._amax` belongs to no quantizer"]),
        "an amax of 0": (amax(0), [f"`{q}.input_quantizer._amax`", "is 0"]),
        "an amax of NaN": (amax(np.nan), [f"`{q}.input_quantizer._amax`", "nan"]),
        "an amax below 0": (amax(-1), [f"`{q}.input_quantizer._amax`", "-1"]),
        "an amax of 0 on a weight that is not": (tensors(lambda t: t.update({f"{q}.weight_quantizer._amax": np.array(0, np.float16)})), [f"`{q}.weight_quantizer._amax`", "is 0"]),
        "a pickle that calls": (lambda folder: with_state(folder, Evil()), ["print"]),
        "a pickle of something else": (lambda folder: with_state(folder, {"modelopt_state_dict": 7}), ["modelopt_state"]),
    }
    for what, (spoil, named) in cases.items():
        folder = run.scratch / "refused"
        shutil.copytree(good, folder)
        spoil(folder)
        told = run.octet("export", folder, "-o", run.scratch / "refused-out", code=3).stderr
        run.check(all(piece in told for piece in named) and "this is not data" not in told, f"{what}: {told.strip().splitlines()[0][:200]}")
        shutil.rmtree(folder)


if __name__ == "__main__":
    with running(__doc__) as run:
        files = Files(run)
        for version in ("0.47.0", "0.44.0"):
            made_by(run, files, version)
        states(run)
        unified(run)
        refused(run, run.scratch / "0.47.0" / "tiny" / "attention")
        files.finish()
