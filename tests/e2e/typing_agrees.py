#!/usr/bin/env python3
"""Strong typing on every model of typing_corpus.py: `octet check` and NVIDIA's TensorRT for RTX give one verdict, but for the classes
that docs/decisions/0008-typing-and-tensorrt.md explains; every rule that octet cites stands in docs/typing.md."""
import importlib.util
import json
import sys

from common import ROOT, load_json, running
from typing_corpus import VERDICTS, corpus, save, tensorrt_verdicts

sys.path.insert(0, str(ROOT / "tools"))
from typing_table import explained

# Class of the decision record -> whether octet accepts it, and its models. TensorRT's verdict is the other one.
DIFFERENCES = {
    "Types of ONNX that TensorRT lacks": (True, [
        "Q and DQ with a zero point 0 of e5m2", "DQ of an input of e5m2", "DQ of a weight of e5m2", "MatMul of dequantized e5m2 and e5m2",
        "MatMul of dequantized e4m3 and e5m2", "DQ of an input of u8", "DQ of a weight of u8", "DQ of an input of i32", "DQ of a weight of i32",
        "Gemm with a dequantized i32 bias", "Cast f32 to e4m3 to f32", "Cast f16 to e5m2 to f16", "MatMul of i32 and i32, both inputs",
        "Pad between Q and DQ", "Squeeze between Q and DQ", "Unsqueeze between Q and DQ"]),
    "Integer zero points": (True, ["Q and DQ with a zero point 3 of i8", "Q and DQ with a zero point 128 of u8"]),
    "INT8 beside FP8 in one product": (True, ["MatMul of dequantized i8 and e4m3", "MatMul of dequantized e4m3 and i8"]),
    "Attention in f32": (True, ["Attention of f32", "Attention of f32 with a mask of bool", "Attention of f32 with a mask of f32"]),
    "What ONNX forbids": (False, ["Clip of f16 at f32", "Pad of f16 with f32", "DQ of e4m3 with an i8 zero point", "Q per tensor with a vector of zero points",
                                  "Q to f16", "Add of f32 and f64, both inputs", "DQ by an f64 scale"]),
    "Values that cannot be meant": (False, ["Q by an infinite scale", "DQ by an infinite scale", "Q and DQ with a zero point 1 of e4m3"]),
    "Activations by several scales": (False, ["Q by a per-axis scale of an activation", "Q by a per-axis scale behind Transpose of an activation",
                                              "Q of blocks of an activation"]),
    "Arithmetic of 8-bit integers": (False, ["Mul of i8 and i8, both inputs"]),
}


def octet_verdict(run, path):
    """Whether `octet check` accepts the file (None: it did not get as far as its types), and its violations."""
    done = run.octet("check", path, "--json", code=None)
    if done.returncode not in (0, 3) or not done.stdout:
        return None, []
    violations = load_json(done.stdout)["violations"]
    return (not violations) if (done.returncode == 0) == (not violations) else None, violations


if __name__ == "__main__":
    with running(__doc__) as run:
        paths = save(corpus(), run.scratch)
        recorded = json.loads(VERDICTS.read_text())
        run.at_least("models", len(paths), 60)
        run.equal("every model has a recorded verdict", sorted(recorded["refusals"]), sorted(paths))
        if importlib.util.find_spec("tensorrt_rtx_bindings"):
            fresh = tensorrt_verdicts(paths)
            changed = [name for name in paths if bool(fresh[name]) != bool(recorded["refusals"].get(name))]
            run.equal(f"verdicts that are not those of TensorRT RTX {recorded['tensorrt_rtx']} as recorded", changed, [])

        record = (ROOT / "docs/decisions/0008-typing-and-tensorrt.md").read_text()
        missing = [what for what in DIFFERENCES if f"**{what}" not in record]
        run.equal("classes of differences that the decision record leaves out", missing, [])
        excepted = {name: accepts for accepts, names in DIFFERENCES.values() for name in names}
        run.equal("differences that name no model", sorted(set(excepted) - set(paths)), [])

        known = explained()
        for name, path in paths.items():
            accepts, violations = octet_verdict(run, path)
            wanted = excepted.get(name, not recorded["refusals"][name])
            unknown = [(v["op"], v["rule"]) for v in violations if (v["op"], v["rule"]) not in known]
            silent = [v for v in violations if not v["what"] or not v["node"]]
            differs = " (TensorRT differs)" if name in excepted else ""
            fair = name not in excepted or wanted == bool(recorded["refusals"][name])
            told = f"{violations[0]['rule']}: {violations[0]['what'][:90]}" if violations else "accepted"
            run.check(accepts == wanted and fair and not unknown and not silent, f"{name}: {told}{differs}")
