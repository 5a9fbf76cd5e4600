#!/usr/bin/env python3
"""Models beyond CLIP, tiny and random: a BERT checkpoint exported in every float type and quantized, and a ViT with LayerScale and a
convolutional decoder as TorchScript writes it at opset 14. Steps are fused, every step agrees with the exact reference, results with
onnxruntime; masks hide keys; what lies behind the trunk stays as it was."""
import json

import numpy as np
import onnx
import onnxruntime as ort
from common import BOUND, DATA, cosines, load_json, running
from exports_accepted import tensorrt
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import save_file

NAMES = ("input_ids", "attention_mask", "token_type_ids")
WIDTH, HEADS, LAYERS, INNER, WORDS, TOKENS = 64, 4, 2, 128, 211, 24


def bert_checkpoint(folder, rng):
    folder.mkdir()
    normal = lambda *dims, scale=0.05: (scale * rng.standard_normal(dims)).astype(np.float32)
    tensors = {"embeddings.word_embeddings.weight": normal(WORDS, WIDTH, scale=1), "embeddings.position_embeddings.weight": normal(40, WIDTH, scale=0.5),
               "embeddings.token_type_embeddings.weight": normal(2, WIDTH, scale=0.5), "pooler.dense.weight": normal(WIDTH, WIDTH), "pooler.dense.bias": normal(WIDTH)}

    def linear(name, outputs, inputs):
        tensors[name + ".weight"], tensors[name + ".bias"] = normal(outputs, inputs, scale=0.7 / np.sqrt(inputs)), normal(outputs)

    def norm(name):
        tensors[name + ".weight"], tensors[name + ".bias"] = 1 + normal(WIDTH, scale=0.2), normal(WIDTH)

    norm("embeddings.LayerNorm")
    for layer in (f"encoder.layer.{i}" for i in range(LAYERS)):
        for part in ("query", "key", "value"):
            linear(f"{layer}.attention.self.{part}", WIDTH, WIDTH)
        linear(f"{layer}.attention.output.dense", WIDTH, WIDTH)
        linear(f"{layer}.intermediate.dense", INNER, WIDTH)
        linear(f"{layer}.output.dense", WIDTH, INNER)
        norm(f"{layer}.attention.output.LayerNorm")
        norm(f"{layer}.output.LayerNorm")
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    config = {"model_type": "bert", "hidden_size": WIDTH, "num_attention_heads": HEADS, "num_hidden_layers": LAYERS, "intermediate_size": INNER,
              "vocab_size": WORDS, "max_position_embeddings": 40, "type_vocab_size": 2, "layer_norm_eps": 1e-12, "hidden_act": "gelu"}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def bert_inputs(rng, items):
    lengths = rng.integers(3, TOKENS + 1, items)
    mask = (np.arange(TOKENS) < lengths[:, None]).astype(np.int64)
    mask[0, 1:4] = 0  # not only padding hides keys
    return {"input_ids": rng.integers(0, WORDS, (items, TOKENS)), "attention_mask": mask, "token_type_ids": rng.integers(0, 2, (items, TOKENS))}


def run_all(run, model, inputs, *flags, folder="run"):
    folder = run.scratch / folder
    folder.mkdir(exist_ok=True)
    given = []
    for name, array in inputs.items():
        np.save(folder / f"{name}.npy", array)
        given += ["--input", f"{name}={folder}/{name}.npy"]
    run.octet("run", model, *given, "--output-dir", folder / "out", "--quiet", *flags)
    (output,) = (folder / "out").glob("*.npy")
    rows = np.load(output).astype(np.float32)
    output.unlink()
    return rows


def ort_all(model, inputs):
    kinds = {"tensor(float16)": np.float16, "tensor(float)": np.float32, "tensor(int64)": np.int64}
    s = ort.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    return s.run(None, {i.name: inputs[i.name].astype(kinds[i.type]) for i in s.get_inputs()})[0].astype(np.float32)


def calibration(run, inputs):
    flags = []
    for name, array in inputs.items():
        np.save(run.scratch / f"calib_{name}.npy", array)
        flags += ["--calib-input", f"{name}={run.scratch}/calib_{name}.npy"]
    return flags


def kinds(run, model, disabled=()):
    return [(kind, problem.split(":", 1)[1].split(":")[0]) for _, kind, _, problem, _ in run.steps(f"--onnx={model}")]


def judged(run, name, model, inputs):
    (forced,) = load_json(run.octet("compare", model, "--teacher-forced", "--json", "--quiet", *[a for n in inputs for a in ("--input", f"{n}={run.scratch}/run/{n}.npy")]).stdout)["forced"]
    run.equal(f"{name}: elements of {len(forced['steps'])} steps beyond the exact reference", sum(s["unexplained"] for s in forced["steps"]), 0)


def bert(run, rng):
    checkpoint, inputs = bert_checkpoint(run.scratch / "bert", rng), bert_inputs(rng, 6)
    seen = inputs["attention_mask"] > 0
    files, truth = [], None
    for precision in ("fp32", "fp16", "bf16"):
        run.octet("export", checkpoint, "--precision", precision, "--tokens", TOKENS, "-o", run.scratch / precision, "--quiet")
        model = run.scratch / precision / "model.onnx"
        run.equal(f"bert {precision}: inputs", [i.name for i in onnx.load(model).graph.input], list(NAMES))
        mine = run_all(run, model, inputs)
        truth = ort_all(model, inputs) if truth is None else truth
        run.at_least(f"bert {precision}: least cosine of a seen row to onnxruntime in fp32", cosines(mine, truth)[seen].min(), 0.999 if precision == "bf16" else BOUND["fp16"])
        judged(run, f"bert {precision}", model, inputs)
        files.append(model)
    layer = ["gemm", "attention", "gemm", "norm", "gemm", "gemm", "norm"]
    run.equal("bert: steps", [k for k, _ in kinds(run, files[0])], ["embed", "norm"] + layer * LAYERS)
    hidden = {**inputs, "input_ids": np.where(seen, inputs["input_ids"], 7), "token_type_ids": np.where(seen, inputs["token_type_ids"], 1)}
    run.equal("bert: hidden tokens change no seen row", run_all(run, files[0], hidden)[seen], run_all(run, files[0], inputs)[seen])

    flags = calibration(run, bert_inputs(rng, 40))
    for method, extra in (("max", ()), ("percentile", ("--per-channel",)), ("mse", ("--precision", "fp16"))):
        model = run.scratch / f"bert-{method}.onnx"
        told = load_json(run.octet("quantize", files[0], *flags, "-o", model, "--method", method, "--json", *extra).stdout)
        run.equal(f"bert {method}: quantizers", len(told["quantizers"]), LAYERS * (4 + 3 + 6))  # attention; inputs but out's; weights
        mine = run_all(run, model, inputs)
        run.at_least(f"bert {method}: mean cosine of seen rows to fp32", cosines(mine, truth)[seen].mean(), 0.99)
        run.at_least(f"bert {method}: mean cosine of seen rows to onnxruntime on the file", cosines(mine, ort_all(model, inputs))[seen].mean(), 0.995)
        judged(run, f"bert {method}", model, inputs)
        files.append(model)
    steps = kinds(run, files[-1])
    run.equal("bert in FP8: steps", [k for k, _ in steps], ["embed", "norm", "norm"] + ["gemm", "attention", "gemm", "norm", "norm", "gemm", "gemm", "norm", "norm"] * (LAYERS - 1) + ["gemm", "attention", "gemm", "norm", "norm", "gemm", "gemm", "norm"])
    run.check(all(problem.startswith("e4m3") for kind, problem in steps if kind in ("gemm", "attention")), "bert in FP8: every product is FP8")
    calib = bert_inputs(rng, 40)
    told = [load_json(run.octet("quantize", files[0], *calibration(run, c), "-o", run.scratch / "x.onnx", "--json").stdout)["quantizers"]
            for c in (calib, {**calib, "input_ids": np.where(calib["attention_mask"] > 0, calib["input_ids"], 3)})]
    run.check(told[0] == told[1], "bert: calibration ignores what the mask hides")
    run.octet("export", checkpoint, "-o", run.scratch / "x", "--tokens", 41, code=4)
    refused = run.octet("quantize", checkpoint, "--calib-images", DATA / "calib.tar", "--calib-texts", DATA / "calib_texts.txt", "-o", run.scratch / "x", code=4)
    run.check("--calib-input" in refused.stderr, "bert: quantize of a checkpoint says how to go by ONNX")
    return files


class Torch14:
    """A graph as torch.onnx's TorchScript exporter writes it at opset 14: norms and GELU spelt out, f32."""

    def __init__(self, rng):
        self.rng, self.nodes, self.constants, self.count = rng, [], [], 0

    def constant(self, array):
        self.count += 1
        self.constants.append(numpy_helper.from_array(np.asarray(array), f"c{self.count}"))
        return f"c{self.count}"

    def normal(self, *dims, scale=0.05, mean=0.0):
        return self.constant((mean + scale * self.rng.standard_normal(dims)).astype(np.float32))

    def f32(self, value):
        return self.constant(np.float32(value))

    def op(self, kind, *inputs, **attributes):
        self.count += 1
        self.nodes.append(helper.make_node(kind, list(inputs), [f"{kind}_{self.count}"], f"n{self.count}_{kind}", **attributes))
        return f"{kind}_{self.count}"

    def norm(self, x, width):
        d = self.op("Sub", x, self.op("ReduceMean", x, axes=[-1]))
        variance = self.op("ReduceMean", self.op("Pow", d, self.f32(2)), axes=[-1])
        y = self.op("Div", d, self.op("Sqrt", self.op("Add", variance, self.f32(1e-6))))
        return self.op("Add", self.op("Mul", y, self.normal(width, mean=1, scale=0.2)), self.normal(width))

    def linear(self, x, inputs, outputs):
        return self.op("Add", self.normal(outputs), self.op("MatMul", x, self.normal(inputs, outputs, scale=0.7 / np.sqrt(inputs))))

    def gelu(self, x):
        e = self.op("Add", self.op("Erf", self.op("Div", x, self.f32(np.sqrt(2)))), self.f32(1))
        return self.op("Mul", self.op("Mul", x, e), self.f32(0.5))

    def heads(self, x, tokens, width, perm):
        shape = self.constant(np.array([0, tokens, 4, width // 4], np.int64))
        return self.op("Transpose", self.op("Reshape", x, shape), perm=perm)

    def layer(self, x, tokens, width):
        h = self.norm(x, width)
        k, v, q = (self.linear(h, width, width) for _ in range(3))
        scores = self.op("MatMul", self.heads(q, tokens, width, [0, 2, 1, 3]), self.heads(k, tokens, width, [0, 2, 3, 1]))
        p = self.op("Softmax", self.op("Div", scores, self.f32(np.sqrt(width / 4))), axis=-1)
        o = self.op("Transpose", self.op("MatMul", p, self.heads(v, tokens, width, [0, 2, 1, 3])), perm=[0, 2, 1, 3])
        o = self.linear(self.op("Reshape", o, self.constant(np.array([0, tokens, width], np.int64))), width, width)
        x = self.op("Add", self.op("Mul", o, self.normal(width, scale=0.6)), x)  # LayerScale, of either sign
        h = self.linear(self.gelu(self.linear(self.norm(x, width), width, 2 * width)), 2 * width, width)
        return self.op("Add", self.op("Mul", h, self.normal(width, scale=0.6)), x)


def vit(path, rng, width=64, size=28, layers=2):
    g, side = Torch14(rng), size // 7
    tokens = side * side + 1
    x = g.op("Conv", "input_image", g.normal(width, 3, 7, 7), g.normal(width), kernel_shape=[7, 7], strides=[7, 7], pads=[0, 0, 0, 0], dilations=[1, 1], group=1)
    x = g.op("Transpose", g.op("Reshape", x, g.constant(np.array([0, width, side * side], np.int64))), perm=[0, 2, 1])
    batch = g.op("Gather", g.op("Shape", "input_image"), g.constant(np.int64(0)), axis=0)
    shape = g.op("Concat", g.op("Unsqueeze", batch, g.constant(np.array([0], np.int64))), g.constant(np.array([-1], np.int64)), g.constant(np.array([-1], np.int64)), axis=0)
    ones = g.op("ConstantOfShape", g.op("Shape", shape), value=numpy_helper.from_array(np.array([1], np.int64)))
    minus = g.op("Mul", ones, g.constant(np.int64(-1)))
    cls = g.op("Expand", g.normal(1, 1, width), g.op("Where", g.op("Equal", shape, minus), ones, shape))
    x = g.op("Concat", cls, x, axis=1)
    # Positions of a finer grid, interpolated as DINOv2 does it.
    grid = g.op("Resize", g.normal(1, width, 6, 6, scale=0.5), "", "", g.constant(np.array([1, width, side, side], np.int64)),
                coordinate_transformation_mode="half_pixel", mode="cubic", cubic_coeff_a=-0.75, nearest_mode="floor")
    grid = g.op("Reshape", g.op("Transpose", grid, perm=[0, 2, 3, 1]), g.constant(np.array([1, -1, width], np.int64)))
    x = g.op("Add", x, g.op("Concat", g.normal(1, 1, width), grid, axis=1))
    for _ in range(layers):
        x = g.layer(x, tokens, width)
    x = g.norm(x, width)
    trunk = x
    x = g.op("Slice", x, *(g.constant(np.array([v], np.int64)) for v in (1, 2**62, 1)))
    x = g.op("Reshape", g.op("Transpose", x, perm=[0, 2, 1]), g.constant(np.array([0, width, side, side], np.int64)))
    x = g.op("ConvTranspose", x, g.normal(width, 8, 4, 4), g.normal(8), kernel_shape=[4, 4], strides=[2, 2], pads=[1, 1, 1, 1], dilations=[1, 1], group=1)
    statistics = [g.normal(8, mean=1, scale=0.1), g.normal(8), g.normal(8), g.constant(rng.uniform(0.5, 1.5, 8).astype(np.float32))]
    x = g.op("Relu", g.op("BatchNormalization", x, *statistics, epsilon=1e-5, momentum=0.9))
    x = g.op("Conv", x, g.normal(1, 8, 1, 1, scale=1), g.normal(1), kernel_shape=[1, 1])
    x = g.op("Resize", x, "", "", g.op("Concat", g.op("Slice", g.op("Shape", x), *(g.constant(np.array([v], np.int64)) for v in (0, 2))), g.constant(np.array([size, size], np.int64)), axis=0),
             coordinate_transformation_mode="half_pixel", mode="linear", cubic_coeff_a=-0.75, nearest_mode="floor")
    x = g.op("Sigmoid", x)
    graph = helper.make_graph(g.nodes, "vit", [helper.make_tensor_value_info("input_image", TensorProto.FLOAT, ["batch", 3, size, size])],
                              [helper.make_tensor_value_info(x, TensorProto.FLOAT, ["batch", 1, size, size])], g.constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)
    return trunk


def layer_scale(run, rng):
    model = run.scratch / "vit.onnx"
    vit(model, rng)
    pixels = {"input_image": rng.standard_normal((5, 3, 28, 28)).astype(np.float32)}
    truth = ort_all(model, pixels)
    run.at_most("vit: the interpreter against onnxruntime, largest difference", np.abs(run_all(run, model, pixels, "--reference=onnx") - truth).max(), 2e-6)
    run.octet("exec", f"--onnx={model}", "--skipInference", code=4)  # the decoder has no step
    written = []
    flags = calibration(run, {"input_image": rng.standard_normal((40, 3, 28, 28)).astype(np.float32)})
    for method, extra in (("max", ()), ("mse", ("--per-channel", "--precision", "fp16"))):
        out = run.scratch / f"vit-{method}.onnx"
        done = run.octet("quantize", model, *flags, "-o", out, "--method", method, "--json", *extra)
        run.equal(f"vit {method}: quantizers", len(load_json(done.stdout)["quantizers"]), 2 * (4 + 3 + 6))
        run.check("ConvTranspose" in done.stderr or "decoder" in done.stderr or "Conv)" in done.stderr, f"vit {method}: the nodes behind the trunk are told")
        ours = ort_all(out, pixels)
        run.at_most(f"vit {method}: maps of the quantized file by onnxruntime, largest difference to fp32", np.abs(ours - truth).max(), 0.05)
        cut = run.scratch / f"trunk-{method}.onnx"
        (last,) = [n.input[0] for n in onnx.load(out).graph.node if n.op_type == "Slice" and "n" in n.name and len(n.input) == 4 and not n.input[0].startswith("Shape")]
        onnx.utils.extract_model(str(out), str(cut), ["input_image"], [last])
        mine = run_all(run, cut, pixels)
        run.at_least(f"vit {method}: the trunk, mean cosine to onnxruntime", cosines(mine, ort_all(cut, pixels)).mean(), BOUND["fp8"])
        judged(run, f"vit {method}", cut, pixels)
        steps = kinds(run, cut)
        run.equal(f"vit {method}: steps", [k for k, _ in steps], ["patch_embed"] + ["norm", "gemm", "attention", "gemm", "norm", "gemm", "gemm"] * 2 + ["norm"])
        written.append(out)
    return written


if __name__ == "__main__":
    with running(__doc__) as run:
        rng = np.random.default_rng(20261124)
        files = bert(run, rng) + layer_scale(run, rng)
        for path in files:
            run.equal(f"{path.name}: octet check's violations", load_json(run.octet("check", path, "--json").stdout)["violations"], [])
        for path, verdict in tensorrt(files).items():
            run.check(verdict["engine_bytes"] is not None, f"{path[-24:]}: TensorRT for RTX builds {verdict['engine_bytes']} bytes {verdict['errors'][:1] or ''}")
