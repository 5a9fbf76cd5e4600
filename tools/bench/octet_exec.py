"""Runs `octet exec` and reads what it prints: the timing, the device line, and the profile of its steps against a roofline."""
import json
import re
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

BYTES = {"f32": 4, "f16": 2, "bf16": 2, "e4m3": 1, "e5m2": 1, "i8": 1, "i32": 4, "i64": 8}
# Timing as trtexec does it on a GPU: graph replays, resident inputs.
FLAGS = ["--useCudaGraph", "--noDataTransfers", "--useSpinWait"]


class OctetError(Exception):
    pass


@dataclass
class Timing:
    median: float
    low: float
    high: float
    device: str = ""  # exec's own line: device, weights, arena


@dataclass
class Group:
    """The steps of one kernel on one problem."""
    kernel: str
    problem: str
    steps: int = 0
    ms: float = 0.0   # of all of them


def exec_octet(octet, arguments, timeout=90):
    """Standard output of `octet exec`."""
    try:
        done = subprocess.run([octet, "exec", *map(str, arguments)], capture_output=True, text=True, timeout=timeout)
    except subprocess.TimeoutExpired:
        raise OctetError(f"no end within {timeout} s") from None
    if done.returncode != 0:
        raise OctetError(f"exit {done.returncode}: {(done.stderr.strip() or done.stdout.strip())[-300:]}")
    return done.stdout


def parse_timing(text):
    """trtexec's line "GPU Compute Time: min = .. ms, max = .. ms, mean = .. ms, median = .. ms", as octet and trtexec print it."""
    found = re.search(r"GPU Compute Time: min = ([\d.e+-]+) ms, max = ([\d.e+-]+) ms, mean = [\d.e+-]+ ms, median = ([\d.e+-]+) ms", text)
    if not found:
        raise OctetError("no line `GPU Compute Time` in what exec printed")
    device = re.search(r"Device: .*", text)
    return Timing(float(found[3]), float(found[1]), float(found[2]), device[0] if device else "")


def shapes(tower, batch):
    return f"--shapes={tower.input_name}:" + "x".join(map(str, tower.input_dims(batch)))


def time_engine(octet, plan, tower, batch, device, seconds):
    return parse_timing(exec_octet(octet, [f"--loadEngine={plan}", shapes(tower, batch), f"--device={device}", f"--duration={seconds}", "--warmUp=500",
                                           "--iterations=20", *FLAGS]))


def profile_engine(octet, plan, tower, batch, device):
    """-> the Groups of the engine's steps at `batch`, slowest first."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "profile.json")
        exec_octet(octet, [f"--loadEngine={plan}", shapes(tower, batch), f"--device={device}", f"--exportProfile={file}", "--noDataTransfers", "--duration=0.2"])
        _, *layers = json.loads(file.read_text())
    groups = {}
    for layer in layers:
        kernel, problem = layer["kernel"], layer["problem"]
        group = groups.setdefault((kernel, problem), Group(kernel, problem))
        group.steps, group.ms = group.steps + 1, group.ms + layer["medianMs"]
    if not groups:
        raise OctetError("exec wrote an empty profile")
    return sorted(groups.values(), key=lambda g: -g.ms)


@dataclass
class Work:
    """What one problem has to do at least: every operand read once, every result written once."""
    flop: float = 0.0
    bytes: float = 0.0
    dtype: str = ""


def gemm_work(m):
    a, b, out, rows, n, k, tail = m[1], m[2], m[3], int(m[4]), int(m[5]), int(m[6]), m[7]
    residual = rows * n * BYTES[out] if "residual" in tail else 0
    return Work(2 * rows * n * k, rows * k * BYTES[a] + n * k * BYTES[b] + rows * n * BYTES[out] + residual, a)


def attention_work(m):
    batch, heads, tokens, head = (int(m[i]) for i in range(3, 7))
    return Work(4 * batch * heads * tokens * tokens * head, batch * heads * tokens * head * (3 * BYTES[m[1]] + BYTES[m[2]]), m[1])


def patch_work(m):
    batch, channels, height, width, patch, hidden = (int(m[i]) for i in range(2, 8))
    patches, size = batch * (height // patch) * (width // patch), channels * patch * patch
    return Work(2 * patches * size * hidden, BYTES[m[1]] * (batch * channels * height * width + size * hidden + patches * hidden), m[1])


def norm_work(m):
    return Work(0, int(m[3]) * int(m[4]) * (BYTES[m[1]] + BYTES[m[2]]))


def embed_work(m):
    return Work(0, int(m[2]) * int(m[3]) * (BYTES[m[1]] + 4 * int(m[4])))  # a row of f16 read and written for every id


def pool_work(m):
    return Work(0, 4 * int(m[1]) * int(m[3]))


PROBLEMS = [
    (r"gemm:(\w+?)x(\w+)->(\w+):(\d+)x(\d+)x(\d+)(.*)", gemm_work),
    (r"attention:(\w+)->(\w+):(\d+)x(\d+)x(\d+)x(\d+)", attention_work),
    (r"patch_embed:(\w+):(\d+)x(\d+)x(\d+)x(\d+)/(\d+)->(\d+)", patch_work),
    (r"norm:(\w+)->(\w+):(\d+)x(\d+)", norm_work),
    (r"embed:(\w+):(\d+)x(\d+)x(\d+)", embed_work),
    (r"pool:(\d+)x(\d+)x(\d+)", pool_work),
]


def work_of(problem):
    for pattern, work in PROBLEMS:
        found = re.match(pattern, problem)
        if found:
            return work(found)
    return None


@dataclass
class Roofs:
    """Measured: bytes/s of a copy, flop/s of an 8192^3 product by type; absent ones are unknown."""
    copy: float = 0.0
    product: dict = field(default_factory=dict)

    def of_dtype(self, dtype):
        return self.product.get({"e4m3": "fp8", "f16": "fp16", "bf16": "bf16"}.get(dtype, dtype), 0.0)


def roofline_row(group, roofs):
    """-> (rate, % of the roof that binds): the step's least time by either roof over its measured one."""
    work = work_of(group.problem)
    if work is None or group.ms <= 0:
        return "", ""
    seconds = 1e-3 * group.ms / group.steps
    product = roofs.of_dtype(work.dtype)
    by_flop, by_bytes = work.flop / product if product else 0.0, work.bytes / roofs.copy if roofs.copy else 0.0
    floor = max(by_flop, by_bytes)
    rate = f"{work.flop / seconds / 1e12:.0f} TFLOP/s" if work.flop and by_flop >= by_bytes else f"{work.bytes / seconds / 1e9:.0f} GB/s"
    return rate, f"{100 * floor / seconds:.0f} % of {'product' if by_flop >= by_bytes else 'copy'}" if floor else ""


def roofline_table(groups, roofs):
    total = sum(g.ms for g in groups)
    lines = ["| kernel | problem | steps | ms | share | us a step | rate | of its roof |", "|---|---|---|---|---|---|---|---|"]
    for g in groups:
        rate, share = roofline_row(g, roofs)
        lines.append(f"| {g.kernel} | {g.problem} | {g.steps} | {g.ms:.3f} | {100 * g.ms / total:.1f} % | {1e3 * g.ms / g.steps:.1f} | {rate} | {share} |")
    lines.append(f"| all steps, timed one by one | | {sum(g.steps for g in groups)} | {total:.3f} | | | | |")
    return lines
