"""What the end-to-end tests share: the shipped model, the exported files, running octet and onnxruntime, and assertions that
print what they measured. Every script takes --octet BINARY --work DIR --tools DIR; make_files.py fills DIR before the others run.
"""
import argparse
import contextlib
import json
import math
import os
import re
import shutil
import struct
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
MODEL = ROOT / "models" / "clip-cifar10-fp8"
DATA = ROOT / "data" / "cifar10"
EOS = 49407
TOWERS = ("image", "text")

# Everything that `octet export` writes and the tests look at: name of the directory -> flags.
EXPORTS = {
    "fp8": [],
    "fp16": ["--precision", "fp16"],
    "fp32": ["--precision", "fp32"],
    "bf16": ["--precision", "bf16", "--opset", "22"],  # the first opset whose Conv has bf16
    **{f"fp8-opset{n}": ["--opset", str(n)] for n in range(21, 26)},
    **{f"fp16-opset{n}": ["--precision", "fp16", "--opset", str(n)] for n in range(21, 26)},
    "fp8-blog": ["--names", "blog"],
    "fp16-blog": ["--names", "blog", "--precision", "fp16"],
    "fp8-no-attention": ["--no-fp8-attention"],
    "fp8-normalize": ["--normalize"],
    "fp8-int32": ["--ids", "int32"],
    "fp8-modelopt": ["--scales", "modelopt"],
    "fp8-uint8": ["--input", "uint8"],
    "fp16-uint8": ["--input", "uint8", "--precision", "fp16"],
    "fp32-uint8": ["--input", "uint8", "--precision", "fp32"],
    "bf16-uint8": ["--input", "uint8", "--precision", "bf16", "--opset", "22"],
}
# Mean cosine that octet and onnxruntime owe each other on one file (contract, Numerics).
BOUND = {"fp8": 0.998, "fp16": 0.9999, "fp32": 0.9999}


class Run:
    """One test's arguments, its running count of assertions, and a scratch directory that goes with it."""

    def __init__(self, name):
        parser = argparse.ArgumentParser(description=name)
        parser.add_argument("--octet", required=True, type=Path)
        parser.add_argument("--work", required=True, type=Path)
        parser.add_argument("--tools", type=Path)
        parser.add_argument("--files", type=Path, help="files that a test judges instead of its own, where it can")
        args = parser.parse_args()
        self.octet_path, self.work, self.tools, self.files = args.octet, args.work, args.tools, args.files
        self.checks = self.failures = 0
        self.work.mkdir(parents=True, exist_ok=True)
        self.scratch = Path(tempfile.mkdtemp(prefix="scratch-", dir=self.work))

    # -- assertions -------------------------------------------------------------------------------------------------------
    def check(self, ok, text):
        self.checks += 1
        self.failures += not ok
        print(("ok    " if ok else "FAIL  ") + text, flush=True)
        return bool(ok)

    def at_least(self, name, value, bound):
        return self.check(value >= bound, f"{name}: {value:.6f} >= {bound}")

    def at_most(self, name, value, bound):
        return self.check(value <= bound, f"{name}: {value:.6f} <= {bound}")

    def equal(self, name, actual, expected):
        same = bool(np.array_equal(actual, expected)) if isinstance(actual, np.ndarray) else actual == expected
        shown = "" if isinstance(actual, np.ndarray) else f" {str(actual)[:300]}" + ("" if same else f", expected {str(expected)[:300]}")
        return self.check(same, f"{name}:{shown or (' equal' if same else ' differ')}")

    # -- octet ------------------------------------------------------------------------------------------------------------
    def octet(self, *args, code=0, env=None, text=True, **options):
        """Runs the CLI; any other exit code than `code` (None: any) ends the test with what it printed."""
        done = subprocess.run([str(self.octet_path), *map(str, args)], capture_output=True, text=text, env={**os.environ, **(env or {})}, **options)
        if code is not None and done.returncode != code:
            raise SystemExit(f"FAIL  octet {' '.join(map(str, args))}\n  exit {done.returncode}, expected {code}\n{done.stdout}\n{done.stderr}")
        return done

    def infer(self, model, array, env=None, flags=(), name=None):
        """The one output of `octet run` for the one input `array`, as float32."""
        with tempfile.TemporaryDirectory(dir=self.scratch) as folder:
            np.save(f"{folder}/input.npy", array)
            name = name or input_name(model)
            self.octet("run", model, "--quiet", "--input", f"{name}={folder}/input.npy", "--output-dir", f"{folder}/out", *flags, env=env)
            (output,) = Path(folder, "out").glob("*.npy")
            return np.load(output).astype(np.float32)

    def build(self, onnx, plan, *flags, env=None):
        self.octet("exec", f"--onnx={onnx}", f"--saveEngine={plan}", "--skipInference", *flags, env=env)
        return plan

    def steps(self, *source, env=None):
        """[(name, kind, kernel, problem, type)] of an engine on this machine, from `octet exec --explain`."""
        out = self.octet("exec", *source, "--skipInference", "--no-self-check", "--explain", env=env).stdout
        rows = [line.split() for line in out.splitlines()]
        begin = next(i for i, r in enumerate(rows) if r[:2] == ["step", "kind"])
        return [tuple(r) for r in rows[begin + 1:] if len(r) == 5 and re.match(r"[a-z_0-9]+:", r[3])]

    # -- files ------------------------------------------------------------------------------------------------------------
    def onnx(self, export, tower):
        blog = f"{tower}_clip_{export.split('-')[0]}.onnx"
        return self.work / export / (blog if "blog" in export else f"{tower}.onnx")

    def plan(self, precision, tower):
        return self.work / precision / f"{tower}.plan"

    def pixels(self, count=None):
        return np.load(self.work / "pixels.npy", mmap_mode="r")[:count]

    def ids(self, count=None):
        return reference()["input_ids"][:count]

    def bytes(self, count=None):
        """The pictures of pixels() before they were normalised: u8 [n, H, W, 3]."""
        return np.load(self.work / "bytes.npy", mmap_mode="r")[:count]

    def inputs(self, tower, count=None, export=""):
        pictures = self.bytes if "uint8" in export else self.pixels
        return np.ascontiguousarray(pictures(count) if tower == "image" else self.ids(count))

    def finish(self):
        shutil.rmtree(self.scratch, ignore_errors=True)
        print(f"{self.checks} assertions, {self.failures} failed")
        sys.exit(1 if self.failures or not self.checks else 0)


@contextlib.contextmanager
def running(name):
    run = Run(name)
    yield run
    run.finish()


def reference():
    """input_ids, labels, image_embeds and text_embeds of the fp32 PyTorch model."""
    return np.load(MODEL / "reference_fp32.npz")


def input_name(model):
    """The tower's input name, from what the file is called: engines and ONNX files of these tests say text or image."""
    blog = "_clip_" in Path(model).name
    return ("text_input" if blog else "input_ids") if "text" in Path(model).name else ("image_input" if blog else "pixel_values")


def filtered(command, requests):
    """The answers' bytes of a tool that takes length-prefixed requests."""
    given = b"".join(struct.pack("<I", len(r)) + r for r in requests)
    return subprocess.run(list(map(str, command)), input=given, stdout=subprocess.PIPE, check=True).stdout


def preprocessed(tool, tar, processor, normalised=True):
    """The pictures of a webdataset tar as octet preprocesses them, f32 [n, 3, H, W] or, before that, u8 [n, H, W, 3]; and their labels."""
    with tarfile.open(tar) as opened:
        parts = {m.name: opened.extractfile(m).read() for m in opened if m.isfile()}
    keys = sorted(name[:-4] for name in parts if name.endswith(".jpg"))
    answer = filtered([tool, "clip" if normalised else "crop", processor], [parts[k + ".jpg"] for k in keys])
    width, height = struct.unpack_from("<II", answer)
    item = 8 + 3 * width * height * (4 if normalised else 1)
    assert len(answer) == item * len(keys), "a picture was refused"
    rows = np.frombuffer(answer, np.uint8).reshape(len(keys), item)[:, 8:]
    pictures = rows.copy().view(np.float32).reshape(-1, 3, height, width) if normalised else rows.reshape(-1, height, width, 3)
    return pictures, np.array([int(parts[k + ".cls"]) for k in keys])


def tokenized(tool, path, processor, tokens=77):
    """The lines of a file as octet tokenizes them, i64 [n, tokens], padded with the end of text."""
    lines = [line.strip().encode() for line in Path(path).read_text().splitlines() if line.strip()]
    answer, ids, at = np.frombuffer(filtered([tool, processor, tokens], lines), np.int32), np.full((len(lines), tokens), EOS, np.int64), 0
    for row in ids:
        count = answer[at]
        row[:count] = answer[at + 1:at + 1 + count]
        at += 1 + count
    return ids


def session(path, threads=1, optimized=True):
    import onnxruntime as ort
    options = ort.SessionOptions()
    if not optimized:
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def ort_run(path, array, batch=32):
    """onnxruntime's one output for the one input, cast to the type the file declares, as float32."""
    s = session(path)
    kinds = {"tensor(float16)": np.float16, "tensor(float)": np.float32, "tensor(int64)": np.int64, "tensor(int32)": np.int32, "tensor(uint8)": np.uint8}
    (given,) = s.get_inputs()
    array = np.asarray(array).astype(kinds[given.type])
    parts = [s.run(None, {given.name: array[i:i + batch]})[0] for i in range(0, len(array), batch)]
    return np.concatenate(parts).astype(np.float32)


def cosines(a, b):
    a, b = a.astype(np.float64), b.astype(np.float64)
    return (a * b).sum(-1) / (np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1))


# What the contract lets a step differ by from the `onnx` reference, given the same inputs: one code in at most 2 % of elements.
MOST_CODES = 2.0
# The same as SQNR: 2 % of the values off by the widest step of E4M3, an eighth of the value. Rounding to E4M3 alone leaves about 31 dB: an
# engine that rounds elsewhere, or at another scale, is below.
CODES_DB = -10 * math.log10(MOST_CODES / 100 / 8**2)
# Floats, relative: three independent roundings (product, bias, residual), each uniform within half a unit in the last place, which is
# 2^(1 - bits) of the value at most; twice that, since a sum may be smaller than what was rounded for it. f32: K products in another order as
# well, a random walk of 4,096 such roundings.
FLOATS = {dtype: 2 * math.sqrt(roundings / 12) * 2.0**(1 - bits) for dtype, bits, roundings in (("f16", 11, 3), ("bf16", 8, 3), ("f32", 24, 4096))}


def inner_values(model, names, given):
    """onnxruntime's values of inner tensors, node by node."""
    import onnx
    import onnxruntime as ort
    have = {o.name for o in model.graph.output}
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in dict.fromkeys(names) if name not in have)
    options = ort.SessionOptions()
    options.log_severity_level, options.graph_optimization_level = 3, ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(names, given) if names else []


def arguments(path, given):
    """What an exponential makes of a rounding e: exp(x (1 + e)) is exp(x) (1 + x e), and a GELU, x times one, moves by (1 + x) e. Of each softmax
    and each activation of an ONNX file in order, in onnxruntime: (its type, the mean of that factor, the largest |argument|), hidden scores
    left out."""
    import onnx
    model, found = onnx.load(path), {"softmax": [], "gelu": []}
    nodes = [(kind, n.input[0]) for n in model.graph.node for kind, ops in (("softmax", ("Softmax",)), ("gelu", ("Sigmoid", "Erf", "Tanh", "Gelu"))) if n.op_type in ops]
    for (kind, _), value in zip(nodes, inner_values(model, [name for _, name in nodes], given)):
        size = np.abs(value.astype(np.float64))
        size = size[size < 1e4]
        found[kind].append(("f16" if value.dtype == np.float16 else "f32", size.mean() + (kind == "gelu"), size.max()))
    return found


def with_roots_rounded(run, path, given):
    """The file with the f16 roots of constants as constants. onnxruntime computes f16 nodes in f32 and leaves out the rounding between two of
    them, so that a head's scale of 80^-1/4, spelt as Sqrt, is one that the file does not have; a few codes of q and k flip by it, and with few
    keys the softmax makes much of them."""
    import onnx
    model = onnx.load(path)
    roots = [n.output[0] for n in model.graph.node if n.op_type == "Sqrt"]
    values = {name: v for name, v in zip(roots, inner_values(onnx.load(path), roots, given)) if v.dtype == np.float16 and v.size == 1}
    if not values:
        return path
    for node in [n for n in model.graph.node if n.op_type == "Sqrt" and n.output[0] in values]:
        model.graph.node.remove(node)
    model.graph.initializer.extend(onnx.numpy_helper.from_array(v, name) for name, v in values.items())
    onnx.save(model, run.scratch / "rounded_roots.onnx")
    return run.scratch / "rounded_roots.onnx"


def steps_beside_onnxruntime(run, path, given, engine=None):
    """Every step of octet (of `engine`, or of the file itself) on the very tensors that onnxruntime computed for the file, given {input: array}:
    nothing adds up, so that the bounds are those of one step, whatever the weights are. Returns [(step, what, found, bound, within)] and the
    names of tensors that onnxruntime has not."""
    flags = []
    for name, array in given.items():
        np.save(run.scratch / f"beside_{name}.npy", array)
        flags += ["--input", f"{name}={run.scratch / f'beside_{name}.npy'}"]
    pair = [path] if engine is None else [path, engine]
    told = load_json(run.octet("compare", *pair, "--against", "onnxruntime", "--teacher-forced", "--python", sys.executable, "--json", "--quiet", *flags).stdout)
    kinds = {name: (kind, problem) for name, kind, _, problem, _ in run.steps(f"--onnx={engine or path}")}
    queues, judged = {kind: iter(rows) for kind, rows in arguments(path, given).items()}, []
    for step in told["layers"]:
        kind, problem = kinds[step["step_b"]]
        codes, db = step["dtype_b"] == "e4m3", math.inf if step["sqnr_db"] is None else step["sqnr_db"]
        attention = kind in ("attention", "values")
        weights = attention and ("e4m3" in problem.split(":")[1] or "e4m3_p" in problem) and "+float_p" not in problem  # rounded in the step, too
        inside = weights + (codes or kind == "fake_quantize")
        dtype, mean, largest = next(queues["softmax" if attention else "gelu"]) if attention or "gelu" in problem else ("f16", 0, 0)
        noise = math.hypot(math.sqrt(inside) * 10**(-CODES_DB / 20) if inside else FLOATS[step["dtype_b"]], FLOATS[dtype] * largest * attention)
        bound = -20 * math.log10(noise)
        judged.append((step["step_b"], "SQNR dB of a step that rounds to E4M3" if inside else f"SQNR dB of a step in {step['dtype_b']}", db, bound, bool(db >= bound)))
        if codes:  # A code's step is at least a sixteenth of the value. A weight of a key that flips moves a whole row: its noise alone is judged.
            share, most = 100 * step["code_differences"] / step["elements"], math.inf if weights else MOST_CODES + 100 * 16 * FLOATS[dtype] * mean
            judged.append((step["step_b"], "% of codes that differ" + " behind an exponential" * bool(mean), share, float(most), bool(share <= most)))
    return judged, told["only_b"]


def beside_onnxruntime(run, path, given, label):
    """Asserts that every step lies within its bounds, and shows the worst."""
    judged, missing = steps_beside_onnxruntime(run, with_roots_rounded(run, path, given), given)
    steps = len({j[0] for j in judged})
    run.check(steps > 2 * len(missing), f"{label}: {steps} steps on onnxruntime's tensors; {len(missing)} have none there: {', '.join(missing)[:120]}")
    for what in dict.fromkeys(j[1] for j in judged):
        of = [j for j in judged if j[1] == what]
        step, _, found, bound, _ = max(of, key=lambda j: j[2] - j[3] if what.startswith("%") else j[3] - j[2])
        run.check(all(j[4] for j in of), f"{label}: {what}: {found:.2f}, bound {bound:.2f} ({step})")


def normalised(x):
    x = x.astype(np.float64)
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def best_classes(image, text, classes=10):
    """Zero-shot class of every picture: a class is the normalised mean of its normalised prompts (class-major in `text`)."""
    means = normalised(normalised(text).reshape(classes, -1, text.shape[-1]).mean(1))
    return (normalised(image) @ means.T).argmax(1)


def wilson(hits, n, z=1.959964):
    p = hits / n
    middle, half = (p + z * z / (2 * n)), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return (middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n)


def load_json(text):
    return json.loads(text)
