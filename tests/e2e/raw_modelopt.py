"""Raw ModelOpt files, made from octet's own clean export: what that exporter leaves in an FP8 file of a CLIP tower, defect by defect
(domain trt, FP32 islands around attention, types that value_info claims wrongly, copies of initializers, unfolded weights, a baked
batch). The clean file is then the oracle of the mended one."""
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

E4M3, FLOAT, HALF, UINT8 = TensorProto.FLOAT8E4M3FN, TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.UINT8
QDQ = ("QuantizeLinear", "DequantizeLinear")


def islands(graph, mask_mismatch):
    """Casts to FP32 behind the DQs of q, k, v and the softmax, without the Casts back: the softmax and what attention gives are FP32
    where f16 scales quantize them, and an f16 mask is added to FP32 scores. The text tower's softmax DQ has an FP32 scale."""
    nodes, count = [], 0
    for node in graph.node:
        nodes.append(node)
        if node.op_type != "DequantizeLinear" or not node.output[0].endswith((".q.dq", ".k.dq", ".v.dq", ".p.dq")):
            continue
        if mask_mismatch and node.output[0].endswith(".p.dq"):
            graph.initializer.append(numpy_helper.from_array(np.array(1 / 448, np.float32), node.output[0] + ".scale32"))
            node.input[1] = node.output[0] + ".scale32"
            continue
        half = node.output[0] + ".half"
        nodes.append(helper.make_node("Cast", [half], [node.output[0]], node.name + "/Cast", to=FLOAT))
        node.output[0], count = half, count + 1
    graph.ClearField("node")
    graph.node.extend(nodes)
    return count


def agreeing_island(graph):
    """FP32 on purpose: Cast, Div, Cast back on the first bias of a LayerNorm. Nothing to mend."""
    node = next(n for n in graph.node if n.op_type == "LayerNormalization")
    bias = node.input[2]
    graph.initializer.append(numpy_helper.from_array(np.array([1], np.float32), "one32"))
    made = [
        helper.make_node("Cast", [bias], ["bias32"], "island/in", to=FLOAT),
        helper.make_node("Div", ["bias32", "one32"], ["bias_div"], "island/Div"),
        helper.make_node("Cast", ["bias_div"], ["bias16"], "island/out", to=HALF),
    ]
    node.input[2] = "bias16"
    nodes = made + list(graph.node)
    graph.ClearField("node")
    graph.node.extend(nodes)


def custom_domain(model, as_custom_ops):
    """Q/DQ of domain trt, as ModelOpt's pass leaves them; or the custom operators themselves, which have no zero point."""
    for node in model.graph.node:
        if node.op_type not in QDQ:
            continue
        node.domain = "trt"
        if node.op_type == "DequantizeLinear":
            del node.input[2:]
        if as_custom_ops:
            node.op_type = "TRT_FP8" + node.op_type
            del node.input[2:]
            node.ClearField("attribute")
    model.opset_import.append(helper.make_opsetid("trt", 1))


def unfolded_weights(graph, count=4):
    """The first weights stored transposed: DQ -> Transpose -> Cast to f16."""
    by_name = {i.name: i for i in graph.initializer}
    nodes, left = [], count
    for node in graph.node:
        nodes.append(node)
        weight = by_name.get(node.input[0]) if node.op_type == "DequantizeLinear" else None
        if weight is None or len(weight.dims) != 2 or not left:
            continue
        codes = np.frombuffer(weight.raw_data, np.uint8).reshape(tuple(weight.dims))
        weight.raw_data = np.ascontiguousarray(codes.T).tobytes()
        weight.dims[:] = weight.dims[::-1]
        out = node.output[0]
        node.output[0] = out + ".stored"
        nodes.append(helper.make_node("Transpose", [out + ".stored"], [out + ".turned"], node.name + "/Transpose", perm=[1, 0]))
        nodes.append(helper.make_node("Cast", [out + ".turned"], [out], node.name + "/Cast", to=HALF))
        left -= 1
    graph.ClearField("node")
    graph.node.extend(nodes)


def copied_initializers(graph):
    """Identity on the biases of the first layer."""
    biases = sorted({i for n in graph.node for i in n.input if ".layers.0." in i and i.endswith("proj.bias")})
    for node in graph.node:
        for i, name in enumerate(node.input):
            if name in biases:
                node.input[i] = name + "_copy"
    nodes = [helper.make_node("Identity", [b], [b + "_copy"], b + "/Identity") for b in biases] + list(graph.node)
    graph.ClearField("node")
    graph.node.extend(nodes)


def lying_value_info(graph):
    """Codes declared UINT8, everything else f16."""
    del graph.value_info[:]
    outputs = {o.name for o in graph.output}
    for node in graph.node:
        for name in node.output:
            if name not in outputs:
                kind = UINT8 if node.op_type.endswith("QuantizeLinear") and "Dequantize" not in node.op_type else HALF
                graph.value_info.append(helper.make_tensor_value_info(name, kind, None))


def bake_batch(model, batch):
    """One batch size throughout, as an exporter without dynamic axes leaves it: in Reshape constants and folded class tokens."""
    graph = model.graph
    graph.input[0].type.tensor_type.shape.dim[0].dim_value = batch
    graph.output[0].type.tensor_type.shape.dim[0].dim_value = batch
    del graph.value_info[:]
    typed = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    dims = {v.name: [d.dim_value for d in v.type.tensor_type.shape.dim] for v in [*typed.value_info, *typed.output]}
    by_name = {i.name: numpy_helper.to_array(i) for i in graph.initializer if i.data_type in (HALF, TensorProto.INT64)}
    nodes = []
    for node in graph.node:
        if node.op_type == "Reshape":
            node.input[1] = node.name + "/baked"
            graph.initializer.append(numpy_helper.from_array(np.array(dims[node.output[0]], np.int64), node.input[1]))
        if node.op_type == "Expand":
            token = by_name[node.input[0]].reshape(1, 1, -1)
            graph.initializer.append(numpy_helper.from_array(np.repeat(token, batch, 0), node.output[0]))
            continue
        nodes.append(node)
    graph.ClearField("node")
    graph.node.extend(nodes)


def flattened_pooling(model, batch, tokens):
    """Instead of GatherND: items flattened, item * tokens + row picked, the items' offsets a constant; TorchScript's spelling."""
    graph = model.graph
    at = next(i for i, n in enumerate(graph.node) if n.op_type == "GatherND")
    node, unsqueeze = graph.node[at], graph.node[at - 1]
    width = next(i.dims[0] for i in graph.initializer if i.name.endswith("final_layer_norm.bias"))
    graph.initializer.append(numpy_helper.from_array(np.array([batch * tokens, width], np.int64), "flat_shape"))
    graph.initializer.append(numpy_helper.from_array(np.arange(batch, dtype=np.int64) * tokens, "item_offsets"))
    made = [
        helper.make_node("Reshape", [node.input[0], "flat_shape"], ["flat"], "flatten"),
        helper.make_node("Add", ["item_offsets", unsqueeze.input[0]], ["flat_rows"], "flat_rows"),
        helper.make_node("Gather", ["flat", "flat_rows"], [node.output[0]], "pick", axis=0),
    ]
    nodes = [*graph.node[:at - 1], *made, *graph.node[at + 1:]]
    graph.ClearField("node")
    graph.node.extend(nodes)


def rename_input(graph, new="x"):
    old = graph.input[0].name
    graph.input[0].name = new
    for node in graph.node:
        for i, name in enumerate(node.input):
            if name == old:
                node.input[i] = new


def raw(clean, target, tower, as_custom_ops=False, batch=None, flat=False):
    """Writes the raw file; returns how many Casts to FP32 it has."""
    model = onnx.load(clean)
    graph = model.graph
    if batch:
        bake_batch(model, batch)
    if flat:
        flattened_pooling(model, batch, tokens=77)
    casts = islands(graph, mask_mismatch=tower == "text")
    agreeing_island(graph)
    unfolded_weights(graph)
    copied_initializers(graph)
    custom_domain(model, as_custom_ops)
    rename_input(graph)
    lying_value_info(graph)
    onnx.save(model, target)
    return casts
