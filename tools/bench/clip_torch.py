"""ViT-L/14 in PyTorch as a user runs it today, and the roofs of the GPU it runs on. Every timing is a sorted list of milliseconds
between CUDA events, one a run; the runs are queued without waiting, so the host's share does not show. Used by gpu_peers.py.

  clip_torch.py PEER TOWER BATCH      one peer, alone in this process: [sorted milliseconds, note] as JSON on the last line of stdout
"""
import json
import os
import sys
import time

import torch
import transformers

FP8 = torch.float8_e4m3fn
FP8_MAX = 448.0
# What bounds max-autotune's time, said in the report. The search spaces are PyTorch's defaults.
KNOBS = {"max_autotune_gemm_search_space": "DEFAULT", "max_autotune_gemm_backends": "ATEN,TRITON", "autotune_in_subproc": False,
         "compile_threads": os.cpu_count()}


def event_times(run, repeats=20, warm_up_s=0.3, warm_up_runs=5):
    begin, runs = time.perf_counter(), 0
    while runs < warm_up_runs or time.perf_counter() - begin < warm_up_s:
        run()
        torch.cuda.synchronize()
        runs += 1
    marks = [torch.cuda.Event(enable_timing=True) for _ in range(repeats + 1)]
    for _ in range(2):  # the GPU is at work on these while the host queues the rest
        run()
    for mark in marks[:1]:
        mark.record()
    for mark in marks[1:]:
        run()
        mark.record()
    torch.cuda.synchronize()
    return sorted(a.elapsed_time(b) for a, b in zip(marks, marks[1:]))


def matrix_product(kind, m, n, k, device="cuda"):
    """A function that multiplies random [m,k] by [n,k] transposed; `kind` is fp16, bf16, fp8 or fp8 full (without fast accumulation)."""
    a, b = (torch.randn(rows, k, device=device, dtype=torch.bfloat16) for rows in (m, n))
    if not kind.startswith("fp8"):
        dtype = torch.float16 if kind == "fp16" else torch.bfloat16
        a, b = a.to(dtype), b.to(dtype)
        out = torch.empty(m, n, device=device, dtype=dtype)
        return lambda: torch.mm(a, b.t(), out=out)
    a, b, one = a.to(FP8), b.to(FP8), torch.tensor(1.0, device=device)
    return lambda: torch._scaled_mm(a, b.t(), scale_a=one, scale_b=one, out_dtype=torch.bfloat16, use_fast_accum=kind == "fp8")


def copy_rate():
    """Bytes a second of a device-to-device copy of 4 GiB, read and written bytes counted."""
    source = torch.randint(0, 127, (1 << 32,), device="cuda", dtype=torch.int8)
    target = torch.empty_like(source)
    times = event_times(lambda: target.copy_(source))
    return 2 * source.numel() / (times[len(times) // 2] * 1e-3)


def product_rate(kind, size=8192):
    times = event_times(matrix_product(kind, size, size, size))
    return 2 * size**3 / (times[len(times) // 2] * 1e-3)


def random_input(tower, batch, device):
    """Floats U[-1, 1] or words between begin and end, as octet's own `exec` feeds."""
    generator = torch.Generator().manual_seed(0)
    if tower.image:
        return (torch.rand(tower.input_dims(batch), generator=generator) * 2 - 1).to(device=device, dtype=torch.float16)
    ids = torch.randint(1, tower.vocabulary - 2, tower.input_dims(batch), generator=generator)
    ids[:, 0], ids[:, -1] = tower.vocabulary - 2, tower.vocabulary - 1
    return ids.to(device)


class Embeddings(torch.nn.Module):
    """A Hugging Face tower reduced to input -> embedding."""

    def __init__(self, tower, model):
        super().__init__()
        self.model = model
        self.field = "image_embeds" if tower.image else "text_embeds"

    def forward(self, x):
        return getattr(self.model(x), self.field)


def build(tower, device):
    common = {"hidden_size": tower.hidden, "intermediate_size": tower.intermediate, "num_hidden_layers": tower.layers, "num_attention_heads": tower.heads,
              "hidden_act": "quick_gelu", "projection_dim": tower.projection, "attn_implementation": "sdpa"}
    torch.manual_seed(0)
    with torch.device(device):
        if tower.image:
            model = transformers.CLIPVisionModelWithProjection(transformers.CLIPVisionConfig(image_size=tower.image, patch_size=tower.patch, **common))
        else:
            ends = {"bos_token_id": tower.vocabulary - 2, "eos_token_id": tower.vocabulary - 1, "pad_token_id": tower.vocabulary - 1}
            model = transformers.CLIPTextModelWithProjection(
                transformers.CLIPTextConfig(vocab_size=tower.vocabulary, max_position_embeddings=tower.tokens, **ends, **common))
    return Embeddings(tower, model.to(torch.float16).eval())


class Fp8Linear(torch.nn.Module):
    """A linear layer on E4M3: one static scale for the input, one for the weight, f32 accumulation, bias, result in the input's type."""

    def __init__(self, linear, largest_input):
        super().__init__()
        device, weight = linear.weight.device, linear.weight.float()
        weight_scale = weight.abs().amax() / FP8_MAX
        # A tensor, so that all layers are one program; q, k and v share one conversion of their input.
        self.register_buffer("inverse", torch.tensor(FP8_MAX / largest_input, device=device, dtype=torch.float32))
        self.register_buffer("weight", (weight / weight_scale).to(FP8))
        self.register_buffer("weight_scale", weight_scale.detach().clone())
        self.register_buffer("input_scale", torch.tensor(largest_input / FP8_MAX, device=device, dtype=torch.float32))
        self.register_buffer("bias", linear.bias.detach())

    def forward(self, x):
        rows = (x.reshape(-1, x.shape[-1]).float() * self.inverse).clamp(-FP8_MAX, FP8_MAX).to(FP8)
        out = torch._scaled_mm(rows, self.weight.t(), scale_a=self.input_scale, scale_b=self.weight_scale, bias=self.bias, out_dtype=x.dtype,
                               use_fast_accum=True)
        return out.reshape(*x.shape[:-1], -1)


def to_fp8(model, x):
    """Every linear layer of the encoder becomes an Fp8Linear, its scale from one run on `x`. Attention and the ends stay f16."""
    linears = {name: m for name, m in model.named_modules() if isinstance(m, torch.nn.Linear) and ".layers." in name}
    largest = {}
    hooks = [m.register_forward_pre_hook(lambda _, inputs, name=name: largest.__setitem__(name, inputs[0].abs().amax().item()))
             for name, m in linears.items()]
    model(x)
    for hook in hooks:
        hook.remove()
    for name, linear in linears.items():
        parent, _, leaf = name.rpartition(".")
        setattr(model.get_submodule(parent), leaf, Fp8Linear(linear, largest[name]))
    return model


def captured(run):
    """`run` recorded as a CUDA graph: a function that replays it."""
    # transformers builds attention masks differently while a stream is captured, which asks compiled layers to be compiled again
    # inside the capture: it is told that nothing is.
    torch.cuda.is_current_stream_capturing = lambda: False
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            run()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        out = run()
    return lambda: (graph.replay(), out)


def captured_or_plain(run):
    """-> (function, note): a CUDA graph, or where the model cannot be captured, plain calls."""
    try:
        return captured(run), "CUDA graph"
    except RuntimeError as error:
        torch.cuda.synchronize()
        return run, f"no CUDA graph ({str(error).splitlines()[0][:80]}): plain calls"


def set_knobs():
    import torch._inductor.config as inductor

    torch._dynamo.reset()
    for name, value in KNOBS.items():
        setattr(inductor, name, value)


def compiled_by_layer(model, x):
    """Regional compilation: the encoder layer is compiled once, with max-autotune, and every layer is that program; one CUDA graph of all."""
    set_knobs()
    for name, module in model.named_modules():
        if name.rpartition(".")[0].endswith(".layers"):
            module.compile(mode="max-autotune-no-cudagraphs", dynamic=False)
    return captured_or_plain(lambda: model(x))


def compiled(model, x):
    """The whole tower by torch.compile's max-autotune, which records CUDA graphs by itself."""
    set_knobs()
    torch._dynamo.mark_static_address(x)  # the input stays where it is: nothing is copied into the graph's own buffer
    fast = torch.compile(model, mode="max-autotune", dynamic=False)

    def run():
        torch.compiler.cudagraph_mark_step_begin()
        return fast(x)

    return run


def cosine(a, b):
    return torch.nn.functional.cosine_similarity(a.float(), b.float(), dim=-1).mean().item()


def time_peer(name, tower, batch, device="cuda"):
    """-> (sorted ms, note) of `name`: eager, or {layers,whole}-{fp8,fp16}."""
    with torch.no_grad():
        x = random_input(tower, batch, device)
        model = build(tower, device)
        if name == "eager":
            run, note = captured_or_plain(lambda: model(x))
            return event_times(run), note
        begin, truth = time.perf_counter(), model(x).clone()
        if name.endswith("fp8"):
            model = to_fp8(model, x)
        run, graph = compiled_by_layer(model, x) if name.startswith("layers") else (compiled(model, x), "its own CUDA graphs")
        result = run()
        close = cosine(result[1] if isinstance(result, tuple) else result, truth)
        seconds, programs = time.perf_counter() - begin, torch._dynamo.utils.counters["stats"]["unique_graphs"]
        return event_times(run), f"{graph}; {programs} programs compiled in {seconds:.0f} s; cosine to eager {close:.5f}"


if __name__ == "__main__":
    from clip_shapes import VIT_L_14

    print(json.dumps(time_peer(sys.argv[1], VIT_L_14[sys.argv[2]], int(sys.argv[3]))))
