"""Small models, legal and illegal, on which octet's type rules (docs/typing.md) and NVIDIA's TensorRT for RTX are compared.

corpus() builds them; typing_verdicts.json holds TensorRT's verdict of each. To record them anew after adding a model:
  build/venv/bin/python tests/e2e/typing_corpus.py
"""
import json
import tempfile
from pathlib import Path

import ml_dtypes
import numpy as np
import onnx
from exports_accepted import tensorrt
from onnx import TensorProto, helper

VERDICTS = Path(__file__).with_name("typing_verdicts.json")
KINDS = {"f64": (TensorProto.DOUBLE, np.float64), "f32": (TensorProto.FLOAT, np.float32), "f16": (TensorProto.FLOAT16, np.float16),
         "bf16": (TensorProto.BFLOAT16, ml_dtypes.bfloat16), "e4m3": (TensorProto.FLOAT8E4M3FN, ml_dtypes.float8_e4m3fn),
         "e5m2": (TensorProto.FLOAT8E5M2, ml_dtypes.float8_e5m2), "e8m0": (24, ml_dtypes.float8_e8m0fnu), "i8": (TensorProto.INT8, np.int8),
         "u8": (TensorProto.UINT8, np.uint8), "i32": (TensorProto.INT32, np.int32), "i64": (TensorProto.INT64, np.int64),
         "bool": (TensorProto.BOOL, np.bool_)}
FLOATS = ("f32", "f16", "bf16")


class Model:
    """A graph under construction: every method adds to it and gives the name of what it made."""

    def __init__(self, opset=23):
        self.opset, self.inputs, self.constants, self.nodes = opset, [], [], []

    def input(self, kind, *shape):
        name = f"x{len(self.inputs)}"
        self.inputs.append(helper.make_tensor_value_info(name, KINDS[kind][0], shape))
        return name

    def const(self, kind, values, *shape):
        """One value everywhere in `shape`, or an array as it is."""
        name = f"c{len(self.constants)}"
        array = (np.full(shape, values) if np.isscalar(values) else np.asarray(values)).astype(KINDS[kind][1])
        self.constants.append(helper.make_tensor(name, KINDS[kind][0], array.shape, array.tobytes(), raw=True))
        return name

    def __getattr__(self, op):
        def add(*inputs, domain="", **attributes):
            name = f"{op.lower()}{len(self.nodes)}"
            self.nodes.append(helper.make_node(op, list(inputs), [name], name, domain=domain, **attributes))
            return name
        return add

    def q(self, x, scale, zero=None, **attributes):
        """QuantizeLinear. scale: (kind, values, *shape) or a name; zero likewise; without: a scalar e4m3 zero."""
        scale = scale if isinstance(scale, str) else self.const(*scale)
        zero = zero if isinstance(zero, str) else self.const(*(zero or ("e4m3", 0)))
        return self.QuantizeLinear(x, scale, *[zero] * bool(zero), **attributes)

    def dq(self, x, scale, zero="", **attributes):
        scale = scale if isinstance(scale, str) else self.const(*scale)
        zero = zero if isinstance(zero, str) else self.const(*zero)
        return self.DequantizeLinear(x, scale, *[zero] * bool(zero), **attributes)

    def weight(self, scale, kind="e4m3", shape=(16, 16), **attributes):
        return self.dq(self.const(kind, 1, *shape), scale, **attributes)

    def proto(self, output, kind):
        graph = helper.make_graph(self.nodes, "corpus", self.inputs, [helper.make_tensor_value_info(output, KINDS[kind][0], None)], self.constants)
        domains = {n.domain for n in self.nodes} - {""}
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)] + [helper.make_opsetid(d, 1) for d in sorted(domains)])
        model.ir_version = 10 if self.opset < 23 else 12
        return model


def elementwise():
    """Operators of two operands: (name, model, output, its kind)."""
    for op, kind in [("Add", "f16"), ("Sub", "f16"), ("Mul", "f16"), ("Div", "f16"), ("Pow", "f16"), ("Max", "f16"), ("Min", "f16"), ("MatMul", "f16"),
                     ("Greater", "bool"), ("Equal", "bool")]:
        for other in ("f16", "f32"):
            m = Model()
            yield f"{op} of f16 and {other}", m, getattr(m, op)(m.input("f16", 4, 16), m.const(other, 1, 16, 16) if op == "MatMul" else m.input(other, 4, 16)), kind
    for op, a, b in [("Add", "bf16", "bf16"), ("Add", "bf16", "f16"), ("MatMul", "bf16", "bf16"), ("MatMul", "bf16", "f32"), ("Add", "i32", "i64"), ("Add", "i64", "i64"),
                     ("Add", "bool", "bool"), ("And", "bool", "bool"), ("And", "f16", "f16"), ("Less", "bool", "bool"), ("MatMul", "i32", "i32"),
                     ("Add", "f32", "f64"), ("Mul", "u8", "u8"), ("Mul", "i8", "i8"), ("MatMul", "e4m3", "e4m3"), ("Add", "e4m3", "e4m3"), ("Pow", "f16", "i32"), ("Pow", "i32", "f32"), ("Pow", "i64", "i32"),
                     ("Pow", "f32", "f16"), ("Pow", "f16", "bf16"), ("Pow", "f16", "i64")]:
        m = Model()
        yield f"{op} of {a} and {b}, both inputs", m, getattr(m, op)(m.input(a, 16, 16), m.input(b, 16, 16)), "bool" if op in ("And", "Less") else a


def operators():
    """What the other operators demand of their operands' types."""
    for a, b in (("f16", "f16"), ("f16", "f32"), ("bf16", "bf16")):
        m = Model()
        yield f"Where of {a} and {b}", m, m.Where(m.input("bool", 4, 16), m.input(a, 4, 16), m.input(b, 4, 16)), a
        m = Model()
        yield f"Concat of {a} and {b}", m, m.Concat(m.input(a, 4, 16), m.input(b, 4, 16), axis=0), a
    m = Model()
    yield "Where with an i32 condition", m, m.Where(m.input("i32", 4), m.input("f16", 4), m.input("f16", 4)), "f16"
    for x, w, b in (("f16", "f16", "f16"), ("f16", "f16", "f32"), ("f32", "f32", "f16"), ("f16", "f32", "f16"), ("bf16", "bf16", "bf16")):
        m = Model()
        yield f"Gemm {x} {w} {b}", m, m.Gemm(m.input(x, 4, 16), m.const(w, 1, 16, 16), m.const(b, 1, 16)), x
        m = Model()
        yield f"Conv {x} {w} {b}", m, m.Conv(m.input(x, 1, 16, 8, 8), m.const(w, 1, 16, 16, 3, 3), m.const(b, 1, 16)), x
    for x, scale, bias in (("f16", "f16", "f16"), ("f16", "f32", "f32"), ("f32", "f16", "f16"), ("f16", "f16", "f32"), ("bf16", "bf16", "bf16")):
        m = Model()
        yield f"LayerNormalization {x} {scale} {bias}", m, m.LayerNormalization(m.input(x, 4, 16), m.const(scale, 1, 16), m.const(bias, 0, 16), axis=-1), x
    for op in ("Softmax", "Sqrt", "Erf", "Gelu", "Sigmoid", "Neg", "Abs", "Not", "IsNaN", "ReduceMean", "ArgMax"):
        for kind in ("f16", "i32", "bool"):
            m = Model()
            yield f"{op} of {kind}", m, getattr(m, op)(m.input(kind, 4, 16)), {"IsNaN": "bool", "ArgMax": "i64"}.get(op, kind)
    for kind in ("f16", "f32"):
        m = Model()
        yield f"Clip of f16 at {kind}", m, m.Clip(m.input("f16", 4), m.const(kind, 0), m.const(kind, 1)), "f16"
        m = Model()
        yield f"Pad of f16 with {kind}", m, m.Pad(m.input("f16", 4), m.const("i64", [1, 1]), m.const(kind, 0)), "f16"
    for kind in ("i32", "i64", "f32"):
        m = Model()
        yield f"Gather at {kind}", m, m.Gather(m.const("f16", 1, 8, 16), m.input(kind, 4)), "f16"


def casts():
    for chain in (("f16", "f32", "f16"), ("f32", "bf16", "f32"), ("f16", "f16"), ("f32", "f16", "bf16", "f32"), ("f16", "i32", "f16"), ("f16", "bool", "f16"),
                  ("f32", "e4m3", "f32"), ("f16", "e5m2", "f16"), ("f64", "f32"), ("f32", "f64")):
        m = Model()
        at = m.input(chain[0], 4, 16)
        for kind in chain[1:]:
            at = m.Cast(at, to=KINDS[kind][0])
        yield "Cast " + " to ".join(chain), m, at, chain[-1]
    m = Model()
    x = m.input("f16", 4, 16)
    yield "Cast to f32 added to f16", m, m.Add(m.Cast(x, to=TensorProto.FLOAT), x), "f32"
    m = Model()
    x = m.input("f16", 4, 16)
    yield "Softmax in f32 between Casts", m, m.Add(m.Cast(m.Softmax(m.Cast(x, to=TensorProto.FLOAT)), to=TensorProto.FLOAT16), x), "f16"
    m = Model()
    x = m.input("f16", 4, 16)
    yield "CastLike", m, m.CastLike(m.input("f32", 4, 16), x), "f16"


def scales():
    """Types, values and shapes of scales."""
    for x in FLOATS:
        for scale in FLOATS:
            m = Model()
            yield f"Q of {x} by a {scale} scale", m, m.dq(m.q(m.input(x, 4, 16), (scale, 0.5)), (x, 0.5)), x
    for text, value in (("a zero", 0.0), ("a negative", -0.5), ("a NaN", np.nan), ("an infinite", np.inf), ("a subnormal", 1e-7)):
        m = Model()
        yield f"Q by {text} scale", m, m.dq(m.q(m.input("f16", 4, 16), ("f16", value)), ("f16", 0.5)), "f16"
        m = Model()
        yield f"DQ by {text} scale", m, m.MatMul(m.input("f16", 4, 16), m.weight(("f16", value))), "f16"
    m = Model()
    yield "DQ by one zero in a per-axis scale", m, m.MatMul(m.input("f16", 4, 16), m.weight(("f16", [1.0] * 15 + [0.0]), axis=1)), "f16"
    m = Model()
    yield "Q by a scale of shape [1]", m, m.dq(m.q(m.input("f16", 4, 16), ("f16", 0.5, 1), ("e4m3", 0, 1)), ("f16", 0.5, 1)), "f16"
    m = Model()
    yield "Q by a per-axis scale of an activation", m, m.dq(m.q(m.input("f16", 4, 16), ("f16", 0.5, 16), ("e4m3", 0, 16), axis=1), ("f16", 0.5, 16), axis=1), "f16"
    m = Model()
    codes = m.q(m.const("f16", 1, 16, 16), ("f16", 0.5, 16), ("e4m3", 0, 16), axis=1)
    yield "Q by a per-axis scale of a weight", m, m.MatMul(m.input("f16", 4, 16), m.dq(codes, ("f16", 0.5, 16), axis=1)), "f16"
    for op, kind, attributes in (("Transpose", "f16", {"perm": [1, 0]}), ("Cast", "f32", {"to": TensorProto.FLOAT16}), ("Identity", "f16", {}), ("Reshape", "f16", {}), ("Mul", "f16", {})):
        m = Model()
        second = {"Reshape": [m.const("i64", [16, 16])], "Mul": [m.const("f16", 0.5, 16, 16)]} if op in ("Reshape", "Mul") else {}
        x = getattr(m, op)(m.const(kind, 1, 16, 16), *second.get(op, []), **attributes)
        codes = m.q(x, ("f16", 0.5, 16), ("e4m3", 0, 16), axis=1)
        yield f"Q by a per-axis scale behind {op} of a weight", m, m.MatMul(m.input("f16", 4, 16), m.dq(codes, ("f16", 0.5, 16), axis=1)), "f16"
    m = Model()
    codes = m.q(m.Transpose(m.input("f16", 16, 16), perm=[1, 0]), ("f16", 0.5, 16), ("e4m3", 0, 16), axis=1)
    yield "Q by a per-axis scale behind Transpose of an activation", m, m.MatMul(m.input("f16", 4, 16), m.dq(codes, ("f16", 0.5, 16), axis=1)), "f16"
    for axis in (0, 1, 2):
        m = Model()
        yield f"DQ of a weight per axis {axis}", m, m.MatMul(m.input("f16", 4, 16), m.weight(("f16", 0.5, 16), axis=axis)), "f16"
    m = Model()
    yield "DQ of a weight by a scale of another length", m, m.MatMul(m.input("f16", 4, 16), m.weight(("f16", 0.5, 8), axis=1)), "f16"
    m = Model()
    yield "Q by a scale that is an input", m, m.dq(m.q(m.input("f16", 4, 16), m.input("f16")), ("f16", 0.5)), "f16"
    m = Model()
    yield "DQ by an f64 scale", m, m.MatMul(m.input("f32", 4, 16), m.weight(("f64", 0.5))), "f32"
    m = Model()
    yield "DQ by an f32 scale beside f16", m, m.MatMul(m.input("f16", 4, 16), m.weight(("f32", 0.5))), "f16"
    m = Model()
    yield "DQ by another scale than Q's", m, m.dq(m.q(m.input("f16", 4, 16), ("f16", 0.5)), ("f16", 0.25)), "f16"
    for axis in (0, 1):
        m = Model()
        shape = (2, 64) if axis == 0 else (64, 2)
        yield f"DQ of blocks of 32 along axis {axis}", m, m.MatMul(m.input("f16", 4, 64), m.weight(("f16", 0.5, *shape), shape=(64, 64), axis=axis, block_size=32)), "f16"
    m = Model()
    yield "DQ of blocks by an e8m0 scale", m, m.MatMul(m.input("f32", 4, 64), m.weight(("e8m0", 0.5, 2, 64), shape=(64, 64), axis=0, block_size=32, output_dtype=1)), "f32"
    m = Model()
    codes = m.q(m.input("f16", 64, 64), ("f16", 0.5, 64, 2), ("e4m3", 0, 64, 2), axis=1, block_size=32)
    yield "Q of blocks of an activation", m, m.dq(codes, ("f16", 0.5, 64, 2), axis=1, block_size=32), "f16"


def zero_points():
    for kind, value in (("e4m3", 0), ("e4m3", 1), ("i8", 0), ("i8", 3), ("u8", 0), ("u8", 128), ("e5m2", 0)):
        m = Model()
        yield f"Q and DQ with a zero point {value} of {kind}", m, m.dq(m.q(m.input("f16", 4, 16), ("f16", 0.5), (kind, value)), ("f16", 0.5), (kind, value)), "f16"
    m = Model()
    yield "Q without a zero point", m, m.DequantizeLinear(m.QuantizeLinear(m.input("f32", 4, 16), m.const("f32", 0.5)), m.const("f32", 0.5)), "f32"
    m = Model()
    yield "Q of e4m3 by output_dtype", m, m.dq(m.QuantizeLinear(m.input("f16", 4, 16), m.const("f16", 0.5), output_dtype=17), ("f16", 0.5)), "f16"
    m = Model()
    yield "Q whose output_dtype and zero point differ", m, m.dq(m.q(m.input("f16", 4, 16), ("f16", 0.5), ("e4m3", 0), output_dtype=3), ("f16", 0.5)), "f16"
    m = Model()
    yield "DQ of e4m3 with an i8 zero point", m, m.dq(m.q(m.input("f16", 4, 16), ("f16", 0.5)), ("f16", 0.5), ("i8", 0)), "f16"
    m = Model()
    yield "Q per tensor with a vector of zero points", m, m.dq(m.q(m.input("f16", 4, 16), ("f16", 0.5), ("e4m3", 0, 16)), ("f16", 0.5)), "f16"
    m = Model()
    yield "Q to f16", m, m.q(m.input("f16", 4, 16), ("f16", 0.5), ("f16", 0)), "f16"
    m = Model()
    yield "Q of i32", m, m.dq(m.q(m.input("i32", 4, 16), ("f32", 0.5)), ("f32", 0.5)), "f32"


def opsets():
    for opset in (13, 17, 18, 19, 20, 21, 22, 24, 25):
        for kind in ("f32", "f16"):
            m = Model(opset)
            yield f"e4m3 of {kind} at opset {opset}", m, m.dq(m.q(m.input(kind, 4, 16), (kind, 0.5)), (kind, 0.5), ("e4m3", 0)), kind
    for opset in (13, 19, 21, 25):
        m = Model(opset)
        yield f"i8 at opset {opset}", m, m.dq(m.q(m.input("f32", 4, 16), ("f32", 0.5), ("i8", 0)), ("f32", 0.5), ("i8", 0)), "f32"
    for opset in (20, 21):
        m = Model(opset)
        yield f"Q with output_dtype at opset {opset}", m, m.dq(m.QuantizeLinear(m.input("f32", 4, 16), m.const("f32", 0.5), output_dtype=17), ("f32", 0.5)), "f32"
    for opset in (21, 23):
        m = Model(opset)
        yield f"DQ with output_dtype f16 and an f32 scale at opset {opset}", m, m.MatMul(m.input("f16", 4, 16), m.weight(("f32", 0.5), output_dtype=10)), "f16"
        m = Model(opset)
        yield f"Q with precision f32 at opset {opset}", m, m.dq(m.q(m.input("f16", 4, 16), ("f16", 0.5), precision=1), ("f16", 0.5)), "f16"
        m = Model(opset)
        yield f"bf16 by a bf16 scale at opset {opset}", m, m.dq(m.q(m.input("bf16", 4, 16), ("bf16", 0.5)), ("bf16", 0.5)), "bf16"
    m = Model(21)
    yield "Q of f16 by an f32 scale at opset 21", m, m.dq(m.q(m.input("f16", 4, 16), ("f32", 0.5)), ("f16", 0.5)), "f16"
    m = Model()
    yield "Q with precision e4m3", m, m.dq(m.q(m.input("f16", 4, 16), ("f16", 0.5), precision=17), ("f16", 0.5)), "f16"
    m = Model()
    yield "Q with saturate 0", m, m.dq(m.q(m.input("f16", 4, 16), ("f16", 0.5), saturate=0), ("f16", 0.5)), "f16"


def placements():
    """Where Q and DQ stand."""
    m = Model()
    yield "Q without DQ, an output", m, m.q(m.input("f16", 4, 16), ("f16", 0.5)), "e4m3"
    m = Model()
    yield "Q without DQ into MatMul", m, m.MatMul(m.q(m.input("f16", 4, 16), ("f16", 0.5)), m.const("e4m3", 1, 16, 16)), "e4m3"
    m = Model()
    yield "Q without DQ into Add with f16", m, m.Add(m.q(m.input("f16", 4, 16), ("f16", 0.5)), m.input("f16", 4, 16)), "f16"
    for kind in ("e4m3", "e5m2", "i8", "u8", "i32", "f16"):
        m = Model()
        yield f"DQ of an input of {kind}", m, m.dq(m.input(kind, 4, 16), ("f16", 0.5)), "f16"
    for kind in ("e4m3", "e5m2", "i8", "u8", "i32"):
        m = Model()
        yield f"DQ of a weight of {kind}", m, m.MatMul(m.input("f16", 4, 16), m.weight(("f16", 0.5), kind)), "f16"
    for a, b in (("e4m3", "e4m3"), ("i8", "i8"), ("i8", "e4m3"), ("e4m3", "i8"), ("e5m2", "e5m2"), ("e4m3", "e5m2")):
        m = Model()
        x = m.dq(m.q(m.input("f16", 4, 16), ("f16", 0.5), (a, 0)), ("f16", 0.5))
        yield f"MatMul of dequantized {a} and {b}", m, m.MatMul(x, m.weight(("f16", 0.5), b)), "f16"
    m = Model()
    x = m.dq(m.q(m.input("f16", 4, 16), ("f16", 0.5)), ("f16", 0.5))
    y = m.MatMul(x, m.weight(("f16", 0.5)))
    yield "an e4m3 MatMul before an i8 one", m, m.MatMul(m.dq(m.q(y, ("f16", 0.5), ("i8", 0)), ("f16", 0.5)), m.weight(("f16", 0.5), "i8")), "f16"
    for kind in ("e4m3", "i32"):
        m = Model()
        x = m.dq(m.q(m.input("f16", 4, 16), ("f16", 0.5)), ("f16", 0.5))
        yield f"Gemm with a dequantized {kind} bias", m, m.Gemm(x, m.weight(("f16", 0.5)), m.weight(("f16", 0.5), kind, (16,))), "f16"
    m = Model()
    x = m.dq(m.q(m.input("f16", 1, 16, 8, 8), ("f16", 0.5)), ("f16", 0.5))
    yield "Conv of dequantized e4m3", m, m.Conv(x, m.weight(("f16", 0.5, 16), shape=(16, 16, 3, 3), axis=0), m.const("f16", 0, 16)), "f16"
    m = Model()
    yield "Gather of a dequantized table", m, m.Gather(m.weight(("f16", 0.5)), m.input("i64", 4)), "f16"
    m = Model()
    yield "DQ of gathered codes", m, m.dq(m.Gather(m.const("e4m3", 1, 16, 16), m.input("i64", 4)), ("f16", 0.5)), "f16"
    m = Model()
    yield "DQ then Transpose then MatMul", m, m.MatMul(m.input("f16", 4, 16), m.Transpose(m.weight(("f16", 0.5)), perm=[1, 0])), "f16"
    between = {"Transpose": (), "Reshape": ([8, 8],), "Identity": (), "Flatten": (), "Unsqueeze": ([0],), "Slice": ([0], [2], [0]), "Split": ([4],), "Expand": ([2, 4, 16],),
               "Tile": ([2, 1],), "Pad": ([0, 1, 0, 1],), "Gather": ([0, 2],), "GatherND": ([[0], [2]],),
               "GatherElements": ([[0] * 16],), "Squeeze": ()}
    for op, indices in between.items():
        m = Model()
        x = m.q(m.input("f16", 4, 16), ("f16", 0.5))
        yield f"{op} between Q and DQ", m, m.dq(getattr(m, op)(x, *[m.const("i64", i) for i in indices]), ("f16", 0.5)), "f16"
    m = Model()
    x, y = (m.q(m.input("f16", 4, 16), ("f16", 0.5)) for _ in range(2))
    yield "Concat between Q and DQ", m, m.dq(m.Concat(x, y, axis=0), ("f16", 0.5)), "f16"
    m = Model()
    x, y = (m.q(m.input("f16", 4, 16), ("f16", 0.5)) for _ in range(2))
    yield "Where between Q and DQ", m, m.dq(m.Where(m.input("bool", 4, 16), x, y), ("f16", 0.5)), "f16"
    m = Model()
    x = m.dq(m.q(m.input("f16", 4, 16), ("f16", 0.5)), ("f16", 0.5))
    yield "Q and DQ twice", m, m.dq(m.q(x, ("f16", 0.5)), ("f16", 0.5)), "f16"
    m = Model()
    x = m.dq(m.q(m.Softmax(m.input("f16", 4, 16)), ("f16", 1 / 448)), ("f16", 1 / 448))
    yield "Softmax then Q", m, m.MatMul(x, m.weight(("f16", 0.5))), "f16"
    m = Model()
    x = m.Softmax(m.Cast(m.input("f16", 4, 16), to=TensorProto.FLOAT))
    yield "Softmax in f32 then Q by f16", m, m.MatMul(m.dq(m.q(x, ("f16", 1 / 448)), ("f16", 1 / 448)), m.weight(("f16", 0.5))), "f16"
    m = Model()
    x = m.LayerNormalization(m.input("f16", 4, 16), m.const("f16", 1, 16), m.const("f16", 0, 16))
    yield "LayerNormalization then Q by f32", m, m.MatMul(m.dq(m.q(x, ("f32", 0.5)), ("f16", 0.5)), m.weight(("f16", 0.5))), "f16"
    m = Model()
    x = m.QuantizeLinear(m.input("f16", 4, 16), m.const("f16", 0.5), m.const("e4m3", 0, 1), domain="trt")
    yield "Q and DQ of the domain trt", m, m.DequantizeLinear(x, m.const("f16", 0.5), domain="trt"), "f16"
    m = Model()
    x = m.TRT_FP8QuantizeLinear(m.input("f16", 4, 16), m.const("f16", 0.5), domain="trt")
    yield "TRT_FP8QuantizeLinear", m, m.TRT_FP8DequantizeLinear(x, m.const("f16", 0.5), domain="trt"), "f16"
    m = Model()
    yield "an e4m3 weight without DQ", m, m.MatMul(m.input("f16", 4, 16), m.const("e4m3", 1, 16, 16)), "f16"


def empties():
    for shape in ((0, 16), (4, 0)):
        m = Model()
        yield f"Add over {list(shape)}", m, m.Add(m.input("f16", *shape), m.input("f16", *shape)), "f16"
        m = Model()
        yield f"Q and DQ over {list(shape)}", m, m.dq(m.q(m.input("f16", *shape), ("f16", 0.5)), ("f16", 0.5)), "f16"
        m = Model()
        yield f"MatMul over {list(shape)}", m, m.MatMul(m.input("f16", *shape), m.input("f16", shape[1], 8)), "f16"
    m = Model()
    yield "Concat with an empty part", m, m.Concat(m.input("f16", 0, 16), m.input("f16", 4, 16), axis=0), "f16"
    m = Model()
    yield "Softmax over an empty axis", m, m.Softmax(m.input("f16", 4, 0)), "f16"


def attentions():
    """q, k, v and a mask of several types; the shapes are of one attention where nothing else is said."""
    def of(q, k, v, mask=None, opset=23, rows=8, **attributes):
        m = Model(opset)
        inputs = [m.input(kind, 2, 4, n, 16) for kind, n in ((q, 8), (k, rows), (v, rows))]
        return m, m.Attention(*inputs, *([m.input(mask, 2, 1, 8, 8)] if mask else []), **attributes), q

    for kind in FLOATS:
        yield f"Attention of {kind}", *of(kind, kind, kind)
        for mask in ("bool", *FLOATS):
            yield f"Attention of {kind} with a mask of {mask}", *of(kind, kind, kind, mask)
    yield "Attention of f16 and keys of f32", *of("f16", "f32", "f16")
    yield "Attention of f16 and values of f32", *of("f16", "f16", "f32")
    yield "Attention, causal", *of("f16", "f16", "f16", is_causal=1)
    yield "Attention with a scale, opset 24", *of("f16", "f16", "f16", opset=24, scale=0.5)
    yield "Attention over other keys", *of("f16", "f16", "f16", rows=5)
    m = Model()
    q, k = m.input("f16", 2, 4, 8, 16), m.input("f16", 2, 3, 8, 16)
    yield "Attention of 4 heads and 3", m, m.Attention(q, k, k), "f16"


def scatters():
    """Updates of rows, of several types."""
    for data, updates in (*((kind, kind) for kind in (*FLOATS, "i32", "i64", "bool")), ("f16", "f32"), ("f32", "f16")):
        m = Model()
        yield f"ScatterND of {updates} into {data}", m, m.ScatterND(m.input(data, 4, 16), m.const("i64", 2, 1, 1), m.input(updates, 1, 16)), data


def corpus():
    """{name: ModelProto}"""
    families = (elementwise, operators, casts, scales, zero_points, opsets, placements, empties, attentions, scatters)
    return {name: model.proto(output, kind) for family in families for name, model, output, kind in family()}


def save(models, folder):
    """Writes the models as files; {name: path}."""
    paths = {name: Path(folder, f"{i:03}.onnx") for i, name in enumerate(models)}
    for name, path in paths.items():
        path.write_bytes(models[name].SerializeToString())
    return paths


def tensorrt_verdicts(paths):
    """{name: "" where TensorRT for RTX parses and builds the file, else its first error} of {name: path}."""
    told = tensorrt(paths.values())

    def reason(verdict):
        return "" if verdict["engine_bytes"] is not None else (verdict["errors"] or ["no reason"])[0][:300]
    return {name: reason(told[str(path)]) for name, path in paths.items()}


if __name__ == "__main__":
    import tensorrt_rtx_bindings
    with tempfile.TemporaryDirectory() as scratch:
        verdicts = tensorrt_verdicts(save(corpus(), scratch))
    VERDICTS.write_text(json.dumps({"tensorrt_rtx": tensorrt_rtx_bindings.__version__, "refusals": verdicts}, indent=1) + "\n")
    print(f"{len(verdicts)} models, {sum(not v for v in verdicts.values())} accepted")
