"""The runtimes that `./dev bench peers` times on the CPU. A peer is made from a file and the run's settings; run(name, array) gives the
first output, milliseconds(name, array) the median time of a run. Making or running one may raise: the table says why. Used by peers.py."""
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import openvino

from model_files import draw
from octet_exec import exec_octet, parse_timing

WARM_UP_S = 0.2
LEAST_RUNS = 2  # of a round


class InProcess:
    """Timed here: a warm-up, then runs for `seconds`."""

    def milliseconds(self, name, array):
        begin = time.perf_counter()
        while time.perf_counter() - begin < WARM_UP_S:
            self.run(name, array)
        times, begin = [], time.perf_counter()
        while len(times) < LEAST_RUNS or time.perf_counter() - begin < self.seconds:
            start = time.perf_counter()
            self.run(name, array)
            times.append(1e3 * (time.perf_counter() - start))
        return statistics.median(times)


class Onnxruntime(InProcess):
    def __init__(self, path, args):
        self.seconds = args.seconds
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = args.threads
        options.log_severity_level = 3
        self.session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def run(self, name, array):
        kind = self.session.get_inputs()[0].type
        return self.session.run(None, {name: array.astype(np.float32) if kind == "tensor(float)" else array})[0]


class Openvino(InProcess):
    def __init__(self, path, args, precision):
        self.seconds = args.seconds
        core = openvino.Core()
        settings = {"INFERENCE_NUM_THREADS": args.threads, "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": precision}
        self.compiled = core.compile_model(core.read_model(str(path)), "CPU", settings)

    def run(self, name, array):
        kind = np.float32 if self.compiled.input(0).element_type == openvino.Type.f32 else array.dtype
        return self.compiled([array.astype(kind)])[0]


class TorchEager(InProcess):
    """Hugging Face's tower with the checkpoint's own weights, in bf16."""

    def __init__(self, checkpoint, args):
        import torch  # optional: 3 GB, which `--torch` installs
        import transformers

        torch.set_num_threads(args.threads)
        self.torch, self.seconds = torch, args.seconds
        kind = transformers.CLIPVisionModelWithProjection if args.tower == "image" else transformers.CLIPTextModelWithProjection
        self.model = kind.from_pretrained(checkpoint, dtype=torch.bfloat16, attn_implementation="sdpa").eval()
        self.field = f"{args.tower}_embeds"

    def run(self, name, array):
        x = self.torch.from_numpy(array)
        with self.torch.inference_mode():
            out = self.model(x.to(self.torch.bfloat16) if x.is_floating_point() else x)
        return getattr(out, self.field).float().numpy()


class Octet:
    """Timed by its own `exec`, which times runs of a loaded engine as the loops above do."""

    def __init__(self, path, args, *flags):
        self.args, self.plan, self.flags = args, Path(path).with_suffix(".plan"), ["--device=cpu", *flags]
        exec_octet(args.octet, [f"--onnx={path}", f"--saveEngine={self.plan}", "--skipInference", "--device=cpu"], timeout=120)

    def run(self, name, array):
        with tempfile.TemporaryDirectory() as folder:
            np.save(f"{folder}/x.npy", array)
            subprocess.run([self.args.octet, "run", self.plan, "--quiet", *self.flags, "--input", f"{name}={folder}/x.npy", "--output-dir", folder], check=True)
            return np.load(next(p for p in Path(folder).glob("*.npy") if p.name != "x.npy"))

    def milliseconds(self, name, array):
        shape = "x".join(map(str, array.shape))
        return parse_timing(exec_octet(self.args.octet, [f"--loadEngine={self.plan}", f"--shapes={name}:{shape}", *self.flags, f"--warmUp={1e3 * WARM_UP_S:.0f}",
                                                         f"--iterations={LEAST_RUNS}", "--avgRuns=1", f"--duration={self.args.seconds}",
                                                         f"--cpu-threads={self.args.threads}"])).median


class _Calibration:
    """onnxruntime's CalibrationDataReader over a few arrays."""

    def __init__(self, name, arrays):
        self.feeds = iter([{name: a} for a in arrays])

    def get_next(self):
        return next(self.feeds, None)


def make_int8(source, target):
    """The INT8 peer: onnxruntime's static quantization of the FP32 file's linear layers, u8 activations and s8 weights by channel as Q/DQ,
    ranges from random items: right for timing, not for accuracy."""
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

    name, _ = draw(source, 1, 0)
    arrays = [draw(source, 1, seed)[1] for seed in range(2)]
    arrays = [a.astype(np.float32) if a.dtype == np.float16 else a for a in arrays]
    part = target.with_suffix(".part")
    quantize_static(str(source), str(part), _Calibration(name, arrays), quant_format=QuantFormat.QDQ, op_types_to_quantize=["MatMul", "Gemm"], per_channel=True,
                    activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8, extra_options={"MatMulConstBOnly": True})
    count = sum(node.op_type == "QuantizeLinear" for node in onnx.load(part, load_external_data=False).graph.node)
    if count == 0:
        raise RuntimeError("onnxruntime.quantization quantized nothing in this file")
    part.rename(target)
