#!/usr/bin/env python3
"""octet's ONNX reader and writer against the official library: what onnx writes, octet reads; what octet writes, onnx checks.

Needs: pip install onnx==1.23.0 onnxruntime==1.32.0 numpy ml_dtypes.
  onnx_roundtrip.py --tool build/release/onnx_copy [--seed N]
"""
import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
import warnings

import numpy as np
import onnx
import onnxruntime
from google.protobuf.message import DecodeError
from onnx import TensorProto, checker, helper, numpy_helper
from onnx.backend.test.case.node import collect_testcases

OPSETS = range(20, 26)
TYPES = ["FLOAT", "UINT8", "INT8", "INT32", "INT64", "BOOL", "FLOAT16", "DOUBLE", "BFLOAT16", "FLOAT8E4M3FN", "FLOAT8E5M2", "FLOAT8E8M0"]
IR_VERSIONS = {20: 9, 21: 10, 22: 10, 23: 11, 24: 12, 25: 13}


def value(name, dtype, dims):
    return helper.make_tensor_value_info(name, dtype, dims)


def model(nodes, inputs, outputs, initializers=(), opset=21, **more):
    graph = helper.make_graph(nodes, "graph", inputs, outputs, list(initializers))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=IR_VERSIONS[opset], **more)


def raw_bytes(tensor):
    """The elements as ONNX would store them in raw_data."""
    if tensor.HasField("raw_data"):
        return tensor.raw_data
    return numpy_helper.to_array(tensor).tobytes()


def attributes(node, opset):
    """Attributes by name, without those that equal their default."""
    schema = onnx.defs.get_schema(node.op_type, opset, node.domain)
    out = {}
    for a in node.attribute:
        default = schema.attributes[a.name].default_value if a.name in schema.attributes else None
        current = helper.get_attribute_value(a)
        if isinstance(current, TensorProto):
            current = (current.data_type, tuple(current.dims), raw_bytes(current))
        elif default is not None and default.type and helper.get_attribute_value(default) == current:
            continue
        elif a.name in ("precision", "output_dtype", "block_size") and current == 0:
            continue
        out[a.name] = current
    return out


class Oracle:
    def __init__(self, tool, directory):
        self.tool, self.directory = tool, directory
        self.count = 0
        self.failures = []

    def path(self, name):
        return os.path.join(self.directory, name)

    def copy(self, source, *flags):
        """(exit code, stderr, path) of one run; a crash or a slow one is a failure of the whole test."""
        target = self.path("out.onnx")
        done = subprocess.run([self.tool, source, target, *flags], stderr=subprocess.PIPE, timeout=20)
        assert done.returncode in (0, 3, 4, 5), (done.returncode, done.stderr)
        return done.returncode, done.stderr.decode("utf-8", "replace"), target

    def expect(self, name, condition, detail=""):
        self.count += 1
        if not condition:
            self.failures.append(name)
            print(f"FAILED {name}: {str(detail)[:2000]}", flush=True)

    def round_trip(self, name, original, external_in=False, external_out=False, run=None, may_refuse=False):
        source = self.path("in.onnx")
        if external_in:
            onnx.save(original, source, save_as_external_data=True, location="in.bin", size_threshold=0)
            original = onnx.load(source)
        else:
            onnx.save(original, source)
        code, message, target = self.copy(source, *(["--external"] if external_out else []))
        self.expect(name + " is read", code == 0 or may_refuse, message)
        if code != 0:
            return False
        checker.check_model(target, full_check=True)
        self.compare(name, original, onnx.load(target), may_refuse)
        if run is not None:
            self.compare_results(name, original.SerializeToString(), target, run)
        return True

    def compare(self, name, a, b, may_refuse):
        opset = a.opset_import[0].version
        self.expect(name + " opset", {(o.domain, o.version) for o in b.opset_import} == {("", opset)}, b.opset_import)
        self.expect(name + " metadata", {p.key: p.value for p in a.metadata_props} == {p.key: p.value for p in b.metadata_props})
        self.expect(name + " producer", b.producer_name == "octet" and b.producer_version)
        constants = {n.output[0]: n.attribute[0].t for n in a.graph.node if n.op_type == "Constant" and n.attribute[0].name == "value"}
        constants |= {i.name: i for i in a.graph.initializer}
        written = {i.name: i for i in b.graph.initializer}
        for key in constants.keys() & written.keys():
            x, y = constants[key], written[key]
            same = (x.data_type, list(x.dims), raw_bytes(x)) == (y.data_type, list(y.dims), raw_bytes(y))
            self.expect(f"{name} tensor {key}", same, (x, y))
        nodes = [n for n in a.graph.node if n.op_type != "Constant"]
        self.expect(name + " node count", len(nodes) == len(b.graph.node))
        for x, y in zip(nodes, b.graph.node):
            while x.input and not x.input[-1]:  # omitted at the end: octet leaves it out
                del x.input[-1]
            same = (x.op_type, list(x.input), list(x.output), x.name) == (y.op_type, list(y.input), list(y.output), y.name)
            self.expect(f"{name} node {x.name}", same, (x, y))
            self.expect(f"{name} attributes of {x.op_type}", attributes(x, opset) == attributes(y, opset), (x, y))
        for x, y in zip(list(a.graph.input) + list(a.graph.output), list(b.graph.input) + list(b.graph.output)):
            same_dims = x.type == y.type or may_refuse  # the library's own cases leave dims of outputs open
            same_type = x.type.tensor_type.elem_type == y.type.tensor_type.elem_type
            self.expect(f"{name} value {x.name}", x.name == y.name and same_type and same_dims, (x, y))

    def compare_results(self, name, source, target, feeds):
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        results = [onnxruntime.InferenceSession(p, options, providers=["CPUExecutionProvider"]).run(None, feeds) for p in (source, target)]
        self.expect(name + " results", all(x.tobytes() == y.tobytes() for x, y in zip(*results)))


def all_codes(dtype):
    """Bytes of a [4, 8] tensor: every code for 8-bit types comes up over several tensors."""
    size = np.dtype(helper.tensor_dtype_to_np_dtype(dtype)).itemsize
    rng = np.random.default_rng(dtype)
    return (rng.integers(0, 2, 32) if dtype == TensorProto.BOOL else rng.integers(0, 256, 32 * size)).astype(np.uint8).tobytes()


def constants_of_every_type(oracle):
    for type_name in TYPES:
        dtype = getattr(TensorProto, type_name)
        opset = 24 if type_name == "FLOAT8E8M0" else 21
        raw = all_codes(dtype)
        raw_tensor = helper.make_tensor("c", dtype, [4, 8], raw, raw=True)
        typed = TensorProto(name="c", data_type=dtype, dims=[4, 8])
        array = np.frombuffer(raw, helper.tensor_dtype_to_np_dtype(dtype))
        if type_name == "FLOAT":
            typed.float_data.extend(array.tolist())
        elif type_name == "DOUBLE":
            typed.double_data.extend(array.tolist())
        elif type_name == "INT64":
            typed.int64_data.extend(array.tolist())
        elif type_name in ("INT32", "INT8", "UINT8", "BOOL"):
            typed.int32_data.extend(int(v) for v in array)
        else:
            typed.int32_data.extend(np.frombuffer(raw, np.uint8 if array.itemsize == 1 else np.uint16).astype(int).tolist())
        for kind, tensor in (("raw", raw_tensor), ("typed", typed)):
            for external in ("", "in", "out"):
                nodes = [helper.make_node("Identity", ["c"], ["y"], "one"), helper.make_node("Identity", ["x"], ["z"], "two")]
                ins, outs = [value("x", dtype, ["rows", 8])], [value("y", dtype, [4, 8]), value("z", dtype, ["rows", 8])]
                m = model(nodes, ins, outs, [tensor], opset)
                # bit patterns that are NaN do not survive float_data in Python: they go through raw_data alone
                if kind == "typed" and type_name in ("FLOAT", "DOUBLE") and np.isnan(array).any():
                    continue
                oracle.round_trip(f"{type_name} {kind} {external}", m, external == "in", external == "out")


def every_code_of_the_small_floats(oracle):
    for type_name in ("FLOAT8E4M3FN", "FLOAT8E5M2"):
        dtype = getattr(TensorProto, type_name)
        codes = helper.make_tensor("c", dtype, [256], bytes(range(256)), raw=True)
        node = helper.make_node("Identity", ["c"], ["y"], "identity")
        oracle.round_trip("all codes of " + type_name, model([node], [], [value("y", dtype, [256])], [codes]))


def constant_nodes(oracle):
    nodes = [
        helper.make_node("Constant", [], ["a"], value=helper.make_tensor("", TensorProto.INT64, [2], [3, -1])),
        helper.make_node("Constant", [], ["b"], value_int=2),
        helper.make_node("Constant", [], ["c"], value_ints=[1, 0]),
        helper.make_node("Constant", [], ["d"], value_float=0.25),
        helper.make_node("Constant", [], ["e"], value_floats=[1.0, 2.0]),
        helper.make_node("Constant", [], ["empty"], value=helper.make_tensor("", TensorProto.INT64, [0], [])),
    ]
    outputs = []
    for name, dtype, dims in (("a", 7, [2]), ("b", 7, []), ("c", 7, [2]), ("d", 1, []), ("e", 1, [2]), ("empty", 7, [0])):
        nodes.append(helper.make_node("Identity", [name], ["y_" + name], "identity_" + name))
        outputs.append(value("y_" + name, dtype, dims))
    oracle.round_trip("Constant nodes", model(nodes, [], outputs), run={})


def transformer(opset, dtype=TensorProto.FLOAT):
    """A layer with quantized weights, a norm, a softmax and the shape arithmetic that exporters leave."""
    f = helper.tensor_dtype_to_np_dtype(dtype)
    rng = np.random.default_rng(opset)
    init = [
        helper.make_tensor("w8", TensorProto.FLOAT8E4M3FN, [8, 8], bytes(rng.integers(0, 120, 64).astype(np.uint8)), raw=True),
        numpy_helper.from_array(np.array(0.01, f), "scale"),
        helper.make_tensor("zero", TensorProto.FLOAT8E4M3FN, [], b"\0", raw=True),
        numpy_helper.from_array(rng.standard_normal(8).astype(f), "gamma"),
        numpy_helper.from_array(rng.standard_normal(8).astype(f), "beta"),
        numpy_helper.from_array(np.array([0, -1, 2, 4], np.int64), "heads"),
        numpy_helper.from_array(np.array([0, 0, 8], np.int64), "merged"),
        numpy_helper.from_array(np.array(1.5, f), "high"),
        numpy_helper.from_array(np.array([1], np.int64), "one"),
    ]
    n = helper.make_node
    precision = {"precision": 1} if opset >= 23 else {}
    nodes = [
        n("QuantizeLinear", ["x", "scale", "zero"], ["xq"], "q", **precision),
        n("DequantizeLinear", ["xq", "scale", "zero"], ["xd"], "dq"),
        n("DequantizeLinear", ["w8", "scale", "zero"], ["wd"], "dqw"),
        n("MatMul", ["xd", "wd"], ["m"], "matmul"),
        n("LayerNormalization", ["m", "gamma", "beta"], ["norm"], "norm", epsilon=1e-6, axis=-1),
        n("Reshape", ["norm", "heads"], ["h"], "split_heads"),
        n("Transpose", ["h"], ["ht"], "transpose", perm=[0, 2, 1, 3]),
        n("Softmax", ["ht"], ["p"], "softmax", axis=-1),
        n("Transpose", ["p"], ["pt"], "back", perm=[0, 2, 1, 3]),
        n("Reshape", ["pt", "merged"], ["r"], "merge_heads"),
        n("Clip", ["r", "", "high"], ["c"], "clip"),
        n("Gelu", ["c"], ["g"], "gelu", approximate="tanh"),
        n("Concat", ["g", "g"], ["twice"], "concat", axis=0),
        n("Cast", ["twice"], ["wide"], "cast", to=TensorProto.DOUBLE),
        n("ReduceMean", ["wide", "one"], ["y"], "mean", keepdims=0),
    ]
    ins, outs = [value("x", dtype, ["batch", 5, 8])], [value("y", TensorProto.DOUBLE, ["2*batch", 8])]
    m = model(nodes, ins, outs, init, opset)
    m.metadata_props.add(key="who", value="a test; \u00fcml\u00e4uts")
    return m, {"x": rng.standard_normal((3, 5, 8)).astype(f)}


def cases_of_onnx(oracle):
    """The official library's own node tests: those of octet's operators and types are read and written."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        cases = collect_testcases(None)
    read = sum(bool(oracle.round_trip(case.name, case.model, may_refuse=True)) for case in cases)
    print(f"cases of onnx: {len(cases)}, {read} read")
    oracle.expect("many cases are read", read >= 400, read)


def required_attributes(oracle):
    """octet knows which attributes have no default: without them it refuses, with the reason."""
    known = 0
    for name in sorted({s.name for s in onnx.defs.get_all_schemas() if not s.domain}):
        try:
            schema = onnx.defs.get_schema(name, 25, "")
        except onnx.defs.SchemaError:
            continue
        for a in schema.attributes.values():
            if not a.required:
                continue
            node = helper.make_node(schema.name, ["x"], ["y"], "node")
            onnx.save(model([node], [value("x", 1, [4])], [value("y", 1, [4])], opset=25), oracle.path("in.onnx"))
            code, message, _ = oracle.copy(oracle.path("in.onnx"))
            if "is not supported" not in message:
                known += 1
                oracle.expect(f"{schema.name}.{a.name} is required", code == 3 and "which ONNX requires" in message, message)
    oracle.expect("some attributes are required", known >= 2, known)


def mutations(oracle, rng, count):
    """A damaged file that both octet and the official parser accept has the same tensors for both. (octet accepts some more:
    it skips what it has no use for unread, and takes names that are no UTF-8.)"""
    original = transformer(21)[0].SerializeToString()
    accepted = both = 0
    for _ in range(count):
        data = bytearray(original)
        for _ in range(rng.randint(1, 3)):
            at = rng.randrange(len(data))
            data[at] = rng.choice([rng.randrange(256), data[at] ^ 1 << rng.randrange(8)])
        with open(oracle.path("in.onnx"), "wb") as file:
            file.write(data)
        code, _, target = oracle.copy(oracle.path("in.onnx"))
        if code != 0:
            continue
        accepted += 1
        try:
            parsed, written = onnx.load(oracle.path("in.onnx")), onnx.load(target)
        except (DecodeError, UnicodeDecodeError):
            continue
        both += 1
        constants = {i.name: i for i in parsed.graph.initializer}
        for tensor in written.graph.initializer:
            x = constants[tensor.name]
            same = (x.data_type, list(x.dims), raw_bytes(x)) == (tensor.data_type, list(tensor.dims), raw_bytes(tensor))
            oracle.expect("a mutated tensor", same, tensor.name)
    print(f"mutations: {count}, {accepted} accepted, {both} by both")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tool", required=True)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--mutations", type=int, default=300)
    arguments = parser.parse_args()
    print("seed", arguments.seed)
    start = time.time()
    with tempfile.TemporaryDirectory() as directory:
        oracle = Oracle(os.path.abspath(arguments.tool), directory)
        constants_of_every_type(oracle)
        every_code_of_the_small_floats(oracle)
        constant_nodes(oracle)
        for opset in OPSETS:
            m, feeds = transformer(opset)
            for external_in in (False, True):
                oracle.round_trip(f"transformer opset {opset}", m, external_in, not external_in, run=feeds)
        cases_of_onnx(oracle)
        required_attributes(oracle)
        mutations(oracle, random.Random(arguments.seed), arguments.mutations)
        print(f"{oracle.count} checks, {len(oracle.failures)} failed, {time.time() - start:.1f} s")
        return 1 if oracle.failures else 0


if __name__ == "__main__":
    sys.exit(main())
