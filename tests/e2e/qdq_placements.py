#!/usr/bin/env python3
"""Q/DQ wherever writers put them: legal placements made from the clean export of the shipped model end in the clean file's steps. Where a
placement changes no code the embeddings are the clean file's, bit for bit; where it does, they are onnxruntime's on the same file, and the
kernels' codes the reference's. Weights that are not folded yet get the bytes of the folded file.
--files DIR judges another model, DIR/checkpoint and its export DIR/fp8, by fewer placements: ViT-L/14, say."""
import numpy as np
import onnx
import vit_l_14
from common import BOUND, MODEL, TOWERS, cosines, load_json, ort_run, running
from ml_dtypes import float8_e4m3fn
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load_file

PERM = {"q": [0, 2, 1, 3], "k": [0, 2, 3, 1], "v": [0, 2, 1, 3]}


class Editor:
    """An ONNX graph whose nodes are put in order again in the end."""

    def __init__(self, path, checkpoint=MODEL):
        self.model, self.checkpoint = onnx.load(path), checkpoint
        self.graph, self.count = self.model.graph, 0

    def constant(self, name):
        return numpy_helper.to_array(next(i for i in self.graph.initializer if i.name == name))

    def add_constant(self, array, name):
        if not any(i.name == name for i in self.graph.initializer):
            self.graph.initializer.append(numpy_helper.from_array(array, name))
        return name

    def named(self, *endings):
        return [n for n in self.graph.node if n.name.endswith(endings)]

    def producer(self, value):
        return next((n for n in self.graph.node if value in n.output), None)

    def readers(self, value):
        return [n for n in self.graph.node if value in n.input]

    def add(self, kind, inputs, **attributes):
        self.count += 1
        output = f"placed.{self.count}"
        self.graph.node.append(helper.make_node(kind, inputs, [output], f"{kind}.{self.count}", **attributes))
        return output

    def pair(self, x, like):
        """x behind a Q and a DQ of the scale and zero point of `like`, a Q."""
        return self.add("DequantizeLinear", [self.add("QuantizeLinear", [x, *like.input[1:]]), *like.input[1:]])

    def replace(self, old, new, only=None):
        for node in only if only is not None else self.readers(old):
            for i, name in enumerate(node.input):
                if name == old:
                    node.input[i] = new

    def drop(self, *nodes):
        for node in nodes:
            self.graph.node.remove(node)

    def save(self, path):
        known = {i.name for i in self.graph.initializer} | {i.name for i in self.graph.input} | {""}
        ordered, rest = [], list(self.graph.node)
        while rest:
            ready = [n for n in rest if known.issuperset(n.input)]
            assert ready, "a cycle"
            ordered += ready
            known.update(o for n in ready for o in n.output)
            rest = [n for n in rest if not known.issuperset(n.output)]
        used = {i for n in ordered for i in n.input}
        kept = [i for i in self.graph.initializer if i.name in used]
        del self.graph.node[:], self.graph.initializer[:], self.graph.value_info[:]
        self.graph.node.extend(ordered)
        self.graph.initializer.extend(kept)
        onnx.save(self.model, path)
        return path


def pairs(e, ending):
    """(Q, its DQs) of every site whose Q's name ends so."""
    return [(q, e.readers(q.output[0])) for q in e.named(ending)]


def separate(e, shared_q):
    """Each reader of a DQ gets a DQ of its own, and unless shared_q a Q too."""
    for q, (dq,) in pairs(e, "input.q"):
        for reader in e.readers(dq.output[0]):
            new = e.add("DequantizeLinear", [q.output[0], *dq.input[1:]]) if shared_q else e.pair(q.input[0], q)
            e.replace(dq.output[0], new, [reader])
        e.drop(dq, *([] if shared_q else [q]))


def doubled(e):
    for q, (dq,) in pairs(e, ".q"):
        readers = e.readers(dq.output[0])
        e.replace(dq.output[0], e.pair(dq.output[0], q), readers)


def with_identities(e):
    for q, (dq,) in pairs(e, ".q"):
        readers = e.readers(dq.output[0])
        q.input[0] = e.add("Identity", [q.input[0]])
        e.replace(dq.output[0], e.add("Identity", [dq.output[0]]), readers)


def heads(e):
    """(q, k or v; split, transpose, the Q, its DQ) of every attention."""
    for part in "qkv":
        for q, (dq,) in pairs(e, f"self_attn.{part}.q"):
            base = q.name.removesuffix(".q")
            (split,), (transpose,) = e.named(base + ".split"), e.named(base + ".transpose")
            yield part, split, transpose, q, dq


def before_transpose(e):
    """Q and DQ of q, k and v stand in front of the Transpose, behind the Reshape."""
    for _, split, transpose, q, dq in list(heads(e)):
        last = e.producer(q.input[0])  # the scale's Mul of q and k, or the Transpose
        e.replace(dq.output[0], transpose.output[0], e.readers(dq.output[0]))
        x = split.output[0]
        if last.op_type == "Mul":
            x = e.add("Mul", [x, last.input[1]])
            e.drop(last)
        transpose.input[0] = e.pair(x, q)
        e.drop(q, dq)


def before_reshape(e):
    """Q and DQ of q, k and v stand right behind the projection."""
    for _, split, transpose, q, dq in list(heads(e)):
        last = e.producer(q.input[0])
        e.replace(dq.output[0], transpose.output[0], e.readers(dq.output[0]))
        x = split.input[0]
        if last.op_type == "Mul":
            x = e.add("Mul", [x, last.input[1]])
            e.drop(last)
        split.input[0] = e.pair(x, q)
        e.drop(q, dq)


def k_turned_late(e):
    """k's heads are split as q's and v's; DQ -> Transpose -> MatMul."""
    for part, _, transpose, _, dq in list(heads(e)):
        if part == "k":
            transpose.attribute[0].CopyFrom(helper.make_attribute("perm", PERM["q"]))
            readers = e.readers(dq.output[0])
            e.replace(dq.output[0], e.add("Transpose", [dq.output[0]], perm=[0, 1, 3, 2]), readers)


def codes_transposed(e):
    """The Transpose of v stands between Q and DQ, on codes; and so does another of k."""
    for part, split, transpose, q, dq in list(heads(e)):
        if part == "v":
            q.input[0] = split.output[0]
            transpose.input[0] = q.output[0]
            dq.input[0] = transpose.output[0]
        elif part == "k":
            transpose.attribute[0].CopyFrom(helper.make_attribute("perm", PERM["q"]))
            dq.input[0] = e.add("Transpose", [q.output[0]], perm=[0, 1, 3, 2])


def output_pair(e, behind):
    """Q and DQ of the attention's output stand behind its Transpose, or its Reshape."""
    for q, (dq,) in pairs(e, "self_attn.output.q"):
        (transpose,) = e.readers(dq.output[0])
        (reshape,) = e.readers(transpose.output[0])
        end = {"Transpose": transpose, "Reshape": reshape}[behind]
        readers = e.readers(end.output[0])
        transpose.input[0] = q.input[0]
        e.replace(end.output[0], e.pair(end.output[0], q), readers)
        e.drop(q, dq)


def weight_dqs(e):
    for dq in [n for n in e.graph.node if n.op_type == "DequantizeLinear" and n.name.endswith(".weight.dq")]:
        yield dq, dq.name.removesuffix(".dq")


def unfolded(e, transposed=False, on_codes=False):
    """The checkpoint's own f16 weights behind Q and DQ; transposed: as they lie, with the Transpose behind the DQ, or between."""
    weights = load_file(e.checkpoint / "model.safetensors")
    for dq, name in list(weight_dqs(e)):
        w = weights[name].astype(np.float16)
        zero = e.add_constant(np.zeros((), float8_e4m3fn), "weights.zero")
        x = e.add_constant(w if transposed else np.ascontiguousarray(w.T), name + ".float")
        codes = e.add("QuantizeLinear", [x, dq.input[1], zero])
        if on_codes:
            codes = e.add("Transpose", [codes], perm=[1, 0])
        y = e.add("DequantizeLinear", [codes, dq.input[1], zero])
        if transposed and not on_codes:
            y = e.add("Transpose", [y], perm=[1, 0])
        e.replace(dq.output[0], y, e.readers(dq.output[0]))
        e.drop(dq)


def codes_as_they_lie(e):
    """Folded codes [out, in], DQ -> Transpose -> MatMul."""
    for dq, name in list(weight_dqs(e)):
        codes = np.ascontiguousarray(e.constant(dq.input[0]).T)
        readers = e.readers(dq.output[0])
        dq.input[0] = e.add_constant(codes, name + ".rows")
        e.replace(dq.output[0], e.add("Transpose", [dq.output[0]], perm=[1, 0]), readers)


def by_channel(e, folded):
    """A scale for each output of a linear: folded to codes, or f16 behind Q and DQ; of those a third as it lies in the checkpoint
    with the Transpose behind the DQ, a third with it in front of the Q."""
    weights = load_file(e.checkpoint / "model.safetensors")
    for i, (dq, name) in enumerate(list(weight_dqs(e))):
        w = weights[name].astype(np.float16)
        scale = (np.abs(w.astype(np.float32)).max(1) / 448).astype(np.float16)
        s, zero = e.add_constant(scale, name + ".scales"), e.add_constant(np.zeros(len(scale), float8_e4m3fn), f"zeros.{len(scale)}")
        readers = e.readers(dq.output[0])
        if folded:
            codes = np.clip(w.astype(np.float32) / scale.astype(np.float32)[:, None], -448, 448).astype(float8_e4m3fn)
            y = e.add("DequantizeLinear", [e.add_constant(np.ascontiguousarray(codes.T), name + ".codes"), s, zero], axis=1)
        elif i % 3 == 2:
            x = e.add("Identity", [e.add("Transpose", [e.add_constant(w, name + ".float")], perm=[1, 0])])
            y = e.add("DequantizeLinear", [e.add("QuantizeLinear", [x, s, zero], axis=1), s, zero], axis=1)
        elif i % 3 == 1:
            x = e.add_constant(w, name + ".float")
            y = e.add("Transpose", [e.add("DequantizeLinear", [e.add("QuantizeLinear", [x, s, zero], axis=0), s, zero], axis=0)], perm=[1, 0])
        else:
            x = e.add_constant(np.ascontiguousarray(w.T), name + ".float")
            y = e.add("DequantizeLinear", [e.add("QuantizeLinear", [x, s, zero], axis=1), s, zero], axis=1)
        e.replace(dq.output[0], y, readers)
        e.drop(dq)


def factor_behind(e, where):
    """The head's scale stands behind the DQ of q and k, or as its square behind their product; their Qs round unscaled values."""
    for part, _, transpose, q, dq in list(heads(e)):
        if part == "v":
            continue
        mul = e.producer(q.input[0])
        c = e.constant(mul.input[1]).astype(np.float32)
        wide = e.add_constant((e.constant(q.input[1]).astype(np.float32) / c).astype(np.float16), q.name + ".wide")
        q.input[0], q.input[1], dq.input[1] = mul.input[0], wide, wide
        readers = e.readers(dq.output[0])
        if where == "operands":
            e.replace(dq.output[0], e.add("Mul", [dq.output[0], mul.input[1]]), readers)
        elif part == "q":
            (product,) = readers
            after = e.readers(product.output[0])
            e.replace(product.output[0], e.add("Mul", [product.output[0], e.add_constant((c * c).astype(np.float16), "score.scale")]), after)
        e.drop(mul)


def softmax_alone(e):
    for _, _, _, q, dq in list(heads(e)):
        e.replace(dq.output[0], q.input[0])
        e.drop(q, dq)


def softmax_left_out(e):
    for q, (dq,) in pairs(e, "self_attn.p.q"):
        e.replace(dq.output[0], q.input[0])
        e.drop(q, dq)


EXACT = {
    "three equal pairs for q, k and v": lambda e: separate(e, False),
    "one Q, three DQs": lambda e: separate(e, True),
    "every pair twice": doubled,
    "Identity before and behind": with_identities,
    "q, k and v before the Transpose": before_transpose,
    "q, k and v before the Reshape": before_reshape,
    "k: DQ, Transpose, MatMul": k_turned_late,
    "Transpose on codes": codes_transposed,
    "output behind its Transpose": lambda e: output_pair(e, "Transpose"),
    "output behind its Reshape": lambda e: output_pair(e, "Reshape"),
    "weights unfolded": unfolded,
    "weights unfolded, DQ, Transpose": lambda e: unfolded(e, True),
    "weights unfolded, Transpose on codes": lambda e: unfolded(e, True, True),
    "weights as they lie": codes_as_they_lie,
    "all at once": lambda e: [f(e) for f in (lambda e: unfolded(e, True), codes_transposed, lambda e: output_pair(e, "Reshape"), lambda e: separate(e, False), with_identities)],
}
ROUNDED = {"the head's scale behind the DQs": lambda e: factor_behind(e, "operands"), "the head's scale behind the product": lambda e: factor_behind(e, "product")}


def what(run, path):
    return [(kind, problem, dtype) for _, kind, _, problem, dtype in run.steps(f"--onnx={path}")]


def made(run, tower, name, change):
    editor = Editor(clean_file(run, tower), run.files / "checkpoint" if run.files else MODEL)
    change(editor)
    return editor.save(run.scratch / f"{tower}_{''.join(c if c.isalnum() else '_' for c in name)}.onnx")


def clean_file(run, tower):
    return run.files / "fp8" / f"{tower}.onnx" if run.files else run.onnx("fp8", tower)


def follows(run, name, tower, path, given):
    """Codes: onnxruntime end to end, the exact reference step by step."""
    run.at_least(f"{name}: mean cosine to onnxruntime on the same file", cosines(run.infer(path, given), ort_run(path, given)).mean(), BOUND["fp8"])
    np.save(run.scratch / "input.npy", given[:2])
    flags = ["--input", f"{'pixel_values' if tower == 'image' else 'input_ids'}={run.scratch}/input.npy"]
    (forced,) = load_json(run.octet("compare", path, "--teacher-forced", "--json", "--quiet", *flags, code=None).stdout)["forced"]
    run.equal(f"{name}: values of {len(forced['steps'])} steps beyond their bound", sum(s["unexplained"] for s in forced["steps"]), 0)


def judge(run, tower):
    given = vit_l_14.inputs(tower, np.random.default_rng(1)) if run.files else run.inputs(tower, 16)
    clean, few = clean_file(run, tower), run.files is not None
    steps, embeddings = what(run, clean), run.infer(clean, given)
    for name, change in list(EXACT.items())[-1 if few else 0:]:
        path = made(run, tower, name, change)
        run.equal(f"{tower}, {name}: steps", what(run, path) == steps, True)
        run.equal(f"{tower}, {name}: embeddings of the clean file", run.infer(path, given), embeddings)
    for name, change in list(ROUNDED.items())[-1 if few else 0:]:
        path = made(run, tower, name, change)
        run.equal(f"{tower}, {name}: steps", what(run, path) == steps, True)
        follows(run, f"{tower}, {name}", tower, path, given)
    if few:
        return
    folded, loose = (made(run, tower, f"by channel {f}", lambda e, f=f: by_channel(e, f)) for f in (True, False))
    run.equal(f"{tower}, weights unfolded, by channel: steps", what(run, folded), what(run, loose))
    run.equal(f"{tower}, weights unfolded, by channel: embeddings", run.infer(loose, given), run.infer(folded, given))
    for name, change, mark in (("the softmax quantized alone", softmax_alone, "+e4m3_p"), ("the softmax left out", softmax_left_out, "+float_p")):
        path = made(run, tower, name, change)
        mine = what(run, path)
        run.equal(f"{tower}, {name}: kinds of steps", [k for k, _, _ in mine], [k for k, _, _ in steps])
        run.check(all(problem.endswith(mark) for kind, problem, _ in mine if kind == "attention"), f"{tower}, {name}: attentions say {mark}")
        follows(run, f"{tower}, {name}", tower, path, given)


if __name__ == "__main__":
    with running(__doc__) as run:
        for tower in TOWERS:
            judge(run, tower)
