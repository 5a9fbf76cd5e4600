#!/usr/bin/env python3
"""Exit codes and messages of the CLI: 2 usage (with the near miss), 3 an invalid file, 4 an unsupported one, 5 a missing file, 6 a
gate that failed; each names what it speaks of."""
import numpy as np
import onnx
from common import MODEL, running
from onnx import TensorProto, helper, numpy_helper


def refused(run, what, code, words, *args, env=None):
    done = run.octet(*args, code=None, env=env)
    first = done.stderr.strip().splitlines()[0] if done.stderr.strip() else ""
    ok = done.returncode == code and done.stderr.startswith("octet: error: ") and all(w in done.stderr for w in words)
    run.check(ok, f"{what}: exit {done.returncode}, expected {code}: {first[:150]}" + ("" if ok else f" (must say {words}: {done.stderr})"))


def unsupported_onnx(path):
    """A valid graph of an operator that octet does not have."""
    x, y = (helper.make_tensor_value_info(n, TensorProto.FLOAT, ["n", 4]) for n in "xy")
    graph = helper.make_graph([helper.make_node("Det", ["x"], ["y"], "det")], "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [4, 4])],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, [])])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9), path)
    return path


def ill_typed_onnx(run, path):
    """The FP8 image tower with one bias stored as f32: no promotion is allowed."""
    model = onnx.load(run.onnx("fp8", "image"))
    for i in model.graph.initializer:
        if i.name == "vision_model.encoder.layers.3.mlp.fc2.bias":
            i.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(i).astype(np.float32), i.name))
    onnx.save(model, path)
    return path


with running(__doc__) as run:
    image, plan, scratch = run.onnx("fp8", "image"), run.plan("fp8", "image"), run.scratch
    run.check(run.octet("--version").stdout.startswith("octet "), "--version")
    for sub in ("export", "check", "exec", "run", "inspect", "eval", "compare", "support", "synth", "demo"):
        run.check("Example" in run.octet(sub, "--help").stdout, f"{sub} --help has an example")
    refused(run, "misspelt subcommand", 2, ["exprt", "did you mean `export`?"], "exprt")
    refused(run, "no subcommand", 2, ["fix:"])
    refused(run, "unknown option", 2, ["--frobnicate", "fix:"], "export", MODEL, "-o", scratch / "o", "--frobnicate")
    refused(run, "opset out of range", 2, ["19"], "export", MODEL, "--opset", "19", "-o", scratch / "o")
    refused(run, "neither --onnx nor --loadEngine", 2, ["--onnx"], "exec")
    refused(run, "unknown input", 2, ["pixels"], "exec", f"--onnx={image}", "--shapes=pixels:1x3x32x32", "--strictNames")
    refused(run, "wrong dims", 2, ["pixel_values"], "exec", f"--onnx={image}", "--shapes=pixel_values:1x3x33x32")
    refused(run, "unknown ISA", 2, ["OCTET_ISA", "mmx"], "exec", f"--loadEngine={plan}", "--skipInference", env={"OCTET_ISA": "mmx"})
    refused(run, "missing ONNX file", 5, ["nowhere.onnx"], "check", scratch / "nowhere.onnx")
    refused(run, "missing checkpoint", 5, ["nowhere"], "export", scratch / "nowhere", "-o", scratch / "o")
    refused(run, "missing engine", 5, ["nowhere.plan"], "exec", f"--loadEngine={scratch / 'nowhere.plan'}")
    for name, content in (("text", b"hello, world\n"), ("empty", b""), ("cut", image.read_bytes()[:-1000]), ("cut_early", image.read_bytes()[:5000])):
        bad = scratch / f"{name}.onnx"
        bad.write_bytes(content)
        refused(run, f"ONNX file of kind {name}", 3, [f"{name}.onnx"], "check", bad)
    for name, content in (("text", b"hello, world\n"), ("cut", plan.read_bytes()[:-1]), ("longer", plan.read_bytes() + b"\0")):
        bad = scratch / f"{name}.plan"
        bad.write_bytes(content)
        refused(run, f"plan of kind {name}", 3, [f"{name}.plan"], "exec", f"--loadEngine={bad}")
    wrong = ill_typed_onnx(run, scratch / "ill_typed.onnx")
    refused(run, "a type violation", 3, ["layers.3.mlp.fc2", "f32", "f16"], "exec", f"--onnx={wrong}", "--skipInference")
    told = run.octet("check", wrong, code=3).stdout
    run.check("layers.3.mlp.fc2" in told and "fix" in told, f"octet check names it: {told.splitlines()[0][:150]}")
    refused(run, "an operator octet lacks", 4, ["Det"], "exec", f"--onnx={unsupported_onnx(scratch / 'det.onnx')}", "--skipInference")
    np.save(scratch / "x.npy", np.zeros((1, 3, 32, 32), np.float16))
    np.save(scratch / "none.npy", np.zeros((0, 3, 32, 32), np.float16))
    np.save(scratch / "ids.npy", np.full((1, 77), 10**6))
    refused(run, "an input not given", 2, ["pixel_values"], "run", plan, "--input", f"pixels={scratch / 'x.npy'}")
    refused(run, "batch 0", 2, ["batch 0"], "run", plan, "--input", f"pixel_values={scratch / 'none.npy'}")
    refused(run, "a token id outside the vocabulary", 3, ["vocabulary", "49408"], "run", run.plan("fp8", "text"), "--input", f"input_ids={scratch / 'ids.npy'}")
    refused(run, "an input file that is missing", 5, ["nowhere.npy"], "run", plan, "--input", f"pixel_values={scratch / 'nowhere.npy'}")
    gate = ["compare", run.plan("fp16", "image"), plan, "--input", f"pixel_values={scratch / 'x.npy'}", "--quiet", "--min-cosine"]
    run.check(run.octet(*gate, "0.9", code=None).returncode == 0, "compare --min-cosine 0.9: FP8 against FP16 passes")
    refused(run, "compare --min-cosine 1: FP8 against FP16", 6, ["image_embeds"], *gate, "1")
