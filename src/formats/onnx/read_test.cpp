// What read_onnx accepts and refuses, case by case. Bytes at random and at scale: hostile_test.cpp.
#include "formats/onnx/read.h"

#include "formats/onnx/testing.h"
#include "ops/cast.h"
#include "ops/concat.h"
#include "ops/conv.h"
#include "ops/layer_normalization.h"
#include "ops/quantize.h"

namespace octet::onnx {
namespace {

using namespace test;
using namespace std::literals;

// small_graph() with `extra` fields.
template <class Extend>
std::string small_model(Extend&& extend) {
  WireWriter graph = small_graph();
  extend(graph);
  return make_model(graph);
}
void expect_refused(Code code, std::string_view part, const std::string& bytes) {
  expect_error(code, part, [&] { read(bytes); });
}
void expect_node_refused(Code code, std::string_view part, const WireWriter& message) {
  expect_refused(code, part, small_model([&](WireWriter& graph) { graph.message(graph::kNode, message); }));
}
WireWriter with_int(WireWriter node, std::string_view name, int64_t value) {
  add_int(node, name, value);
  return node;
}

TEST(ReadOnnx, ReadsAGraph) {
  WireWriter out, import, entry;
  out.int64(model::kIrVersion, 9);
  out.text(model::kProducerName, "somebody");
  out.message(model::kGraph, small_graph());
  import.text(opset_id::kDomain, "ai.onnx");
  import.int64(opset_id::kVersion, 21);
  out.message(model::kOpsetImport, import);
  entry.text(entry::kKey, "key"), entry.text(entry::kValue, "value");
  out.message(model::kMetadata, entry);
  const Graph read_graph = read(bytes_of(out));
  EXPECT_EQ(read_graph.name, "small");
  EXPECT_EQ(read_graph.producer, "somebody");
  EXPECT_EQ(read_graph.opset, 21);
  EXPECT_EQ(read_graph.metadata, (std::map<std::string, std::string>{{"key", "value"}}));
  ASSERT_EQ(read_graph.node_count(), 1u);
  EXPECT_EQ(read_graph.node(0).name, "first");
  EXPECT_EQ(read_graph.node(0).source, std::vector<std::string>{"first"});
  EXPECT_EQ(to_string(*read_graph.value(read_graph.inputs.at(0)).type), "f32[batch,3]");
  EXPECT_EQ(read_graph.value(read_graph.outputs.at(0)).name, "y");
  EXPECT_FALSE(read_graph.value(read_graph.outputs.at(0)).type.has_value());
}

TEST(ReadOnnx, NodesWithoutANameAreNumbered) {
  const Graph graph = read(small_model([](WireWriter& g) { g.message(graph::kNode, make_node("Tanh", {"y"}, {"z"})); }));
  EXPECT_EQ(graph.node(1).name, "");
  EXPECT_EQ(graph.node(1).source, std::vector<std::string>{"Tanh_1"});
}

TEST(ReadOnnx, SortsNodes) {
  WireWriter unsorted;
  unsorted.message(graph::kNode, make_node("Tanh", {"a"}, {"b"}, "second"));
  unsorted.message(graph::kNode, make_node("Tanh", {"x"}, {"a"}, "first"));
  unsorted.message(graph::kInput, typed_value("x", kFloat, {1}));
  unsorted.message(graph::kOutput, typed_value("b", kFloat, {1}));
  const Graph graph = read(make_model(unsorted));
  EXPECT_EQ(graph.node(0).name, "first");
  EXPECT_EQ(graph.node(1).name, "second");
}

TEST(ReadOnnx, FillsAttributes) {
  WireWriter conv = make_node("Conv", {"x", "w"}, {"c"}), norm = make_node("LayerNormalization", {"x", "s", "", ""}, {"n"});
  WireWriter strides = attribute_header("strides", 7), pad = attribute_header("auto_pad", 3), epsilon = attribute_header("epsilon", 1);
  for (const int64_t v : {2, 3}) strides.int64(attribute::kInts, v);
  pad.text(attribute::kString, "VALID");
  epsilon.f32(attribute::kFloat, 0.25f);
  conv.message(node::kAttribute, strides), conv.message(node::kAttribute, pad);
  add_int(conv, "group", 4);
  norm.message(node::kAttribute, epsilon);
  WireWriter doc = attribute_header("doc_string", 3);
  norm.message(node::kAttribute, doc);
  const Graph graph = read(small_model([&](WireWriter& g) {
    for (const char* name : {"w", "s"}) g.message(graph::kInitializer, raw_tensor(name, kFloat, {1}, "1234"));
    g.message(graph::kNode, conv);
    g.message(graph::kNode, norm);
    g.message(graph::kNode, with_int(make_node("Cast", {"x"}, {"f"}), "to", 17));
    g.message(graph::kNode, with_int(make_node("QuantizeLinear", {"x", "s"}, {"q"}), "output_dtype", 0));
  }));
  const auto* c = graph.node(1).as<Conv>();
  ASSERT_NE(c, nullptr);
  EXPECT_EQ(c->strides, (Dims{2, 3}));
  EXPECT_EQ(c->auto_pad, "VALID");
  EXPECT_EQ(c->group, 4);
  EXPECT_EQ(c->dilations, Dims{});
  EXPECT_EQ(graph.node(2).as<LayerNormalization>()->epsilon, 0.25f);
  EXPECT_EQ(graph.node(2).inputs.size(), 2u);  // trailing "" dropped
  EXPECT_EQ(graph.node(3).as<Cast>()->to, DType::e4m3);
  EXPECT_EQ(graph.node(4).as<QuantizeLinear>()->output_dtype, 0);
}

TEST(ReadOnnx, OmittedInputsAndOutputsInTheMiddleAreNone) {
  const Graph graph = read(small_model([](WireWriter& g) {
    g.message(graph::kNode, make_node("Clip", {"x", "", "x"}, {"c"}));
    g.message(graph::kNode, make_node("LayerNormalization", {"x", "x"}, {"n", "", "d", ""}));
  }));
  EXPECT_EQ(graph.node(1).inputs.at(1), kNone);
  ASSERT_EQ(graph.node(2).outputs.size(), 3u);
  EXPECT_EQ(graph.node(2).outputs[1], kNone);
}

TEST(ReadOnnx, ConstantNodesBecomeConstants) {
  const auto constant = [](const char* output, const WireWriter& attribute) {
    WireWriter out = make_node("Constant", {}, {output});
    out.message(node::kAttribute, attribute);
    return out;
  };
  WireWriter tensor = attribute_header("value", 4), number = attribute_header("value_int", 2), list = attribute_header("value_floats", 6);
  tensor.message(attribute::kTensor, raw_tensor("", kE4m3, {2}, "\x38\x40"));
  number.int64(attribute::kInt, -3);
  list.f32(attribute::kFloats, 0.5f), list.f32(attribute::kFloats, 1.5f);
  const Graph graph = read(small_model([&](WireWriter& g) {
    g.message(graph::kNode, constant("a", tensor));
    g.message(graph::kNode, constant("b", number));
    g.message(graph::kNode, constant("c", list));
  }));
  EXPECT_EQ(graph.node_count(), 1u);
  EXPECT_EQ(graph.constant_of(graph.find("a"))->at(1), 2.0);
  EXPECT_EQ(graph.constant_of(graph.find("b"))->at_int(0), -3);
  EXPECT_EQ(graph.constant_of(graph.find("b"))->rank(), 0);
  EXPECT_EQ(graph.constant_of(graph.find("c"))->at(1), 1.5);
}

TEST(ReadOnnx, SymbolsOfInputs) {
  WireWriter g = small_graph();
  g.message(graph::kInput, typed_value("a", kInt64, {"batch", "", "", "3*batch", "batch size", "batch size", "?7", "7"}));
  g.message(graph::kInput, typed_value("s", kBool, {}));
  const Graph graph = read(make_model(g));
  const Shape& a = graph.value(graph.find("a")).type->shape;
  EXPECT_EQ(a[0], Dim(1, "batch"));
  EXPECT_NE(a[1], a[2]);
  EXPECT_EQ(a[3], Dim(3, "batch"));
  EXPECT_EQ(a[4], a[5]);  // one fresh symbol
  EXPECT_EQ(a[4].symbol[0], '?');
  for (const size_t i : {1, 2, 6, 7}) EXPECT_EQ(a[i].symbol[0], '?');
  EXPECT_NE(a[6], Dim(1, "?7"));
  EXPECT_TRUE(graph.value(graph.find("s")).type->shape.empty());
}

TEST(ReadOnnx, AnInputWithAnInitializerIsAConstant) {
  const Graph graph = read(small_model([](WireWriter& g) {
    g.message(graph::kInitializer, raw_tensor("w", kFloat, {1}, "1234"));
    g.message(graph::kInput, typed_value("w", kFloat, {1}));
  }));
  EXPECT_EQ(graph.inputs.size(), 1u);
  EXPECT_NE(graph.constant_of(graph.find("w")), nullptr);
}

TEST(ReadOnnx, RefusesModelsWithoutTheEssentials) {
  expect_refused(Code::kInvalid, "no ONNX graph", "");
  WireWriter no_ir, import;
  no_ir.message(model::kGraph, small_graph());
  expect_refused(Code::kInvalid, "no ir_version", bytes_of(no_ir));
  no_ir.int64(model::kIrVersion, 10);
  expect_refused(Code::kInvalid, "no opset", bytes_of(no_ir));
  for (const int64_t opset : {int64_t{0}, int64_t{-1}, int64_t{26}, int64_t{999}, INT64_MAX})
    expect_refused(Code::kUnsupported, "octet reads 1 to 25", make_model(small_graph(), opset));
  expect_refused(Code::kUnsupported, "ir_version is 15", make_model(small_graph(), 20, 15));
  expect_refused(Code::kInvalid, "two graphs", make_model(small_graph()) + make_model(small_graph()));
  WireWriter two_opsets;
  import.int64(opset_id::kVersion, 21);
  two_opsets.message(model::kOpsetImport, import);
  expect_refused(Code::kInvalid, "two opsets", make_model(small_graph()) + bytes_of(two_opsets));
  WireWriter functions;
  functions.text(model::kFunctions, "");
  expect_refused(Code::kUnsupported, "functions", make_model(small_graph()) + bytes_of(functions));
  WireWriter no_output;
  no_output.message(graph::kInput, typed_value("x", kFloat, {1}));
  expect_refused(Code::kInvalid, "no outputs", make_model(no_output));
}

TEST(ReadOnnx, RefusesBrokenGraphs) {
  expect_node_refused(Code::kInvalid, "node `n` (Tanh)", make_node("Tanh", {"nowhere"}, {"z"}, "n"));
  expect_node_refused(Code::kInvalid, "`nowhere` is produced by no node", make_node("Tanh", {"nowhere"}, {"z"}));
  expect_node_refused(Code::kInvalid, "`y` is defined twice", make_node("Tanh", {"x"}, {"y"}));
  expect_node_refused(Code::kInvalid, "`x` is defined twice", make_node("Tanh", {"x"}, {"x"}));
  expect_node_refused(Code::kInvalid, "`z` is defined twice", make_node("Split", {"x"}, {"z", "z"}));
  expect_node_refused(Code::kInvalid, "no outputs", make_node("Tanh", {"x"}, {}));
  expect_node_refused(Code::kInvalid, "no outputs", make_node("Tanh", {"x"}, {""}));
  expect_node_refused(Code::kInvalid, "cycle", make_node("Tanh", {"z"}, {"z"}, "self"));
  const auto field = [](uint32_t number, const WireWriter& message) {
    return small_model([&](WireWriter& graph) { graph.message(number, message); });
  };
  expect_refused(Code::kInvalid, "`x` is defined twice", field(graph::kInput, typed_value("x", kFloat, {1})));
  expect_refused(Code::kInvalid, "`y` is defined twice", field(graph::kInput, typed_value("y", kFloat, {1})));
  expect_refused(Code::kInvalid, "no name", field(graph::kInput, typed_value("", kFloat, {1})));
  expect_refused(Code::kInvalid, "graph output `q`", field(graph::kOutput, typed_value("q", kFloat, {1})));
  expect_refused(Code::kInvalid, "`y` is a graph output twice", field(graph::kOutput, typed_value("y", kFloat, {1})));
  expect_refused(Code::kUnsupported, "sparse", field(graph::kSparseInitializer, WireWriter()));
  WireWriter twice = small_graph();
  for (int i = 0; i < 2; ++i) twice.message(graph::kInitializer, raw_tensor("w", kFloat, {1}, "1234"));
  expect_refused(Code::kInvalid, "`w` is defined twice", make_model(twice));
  WireWriter cycle = small_graph();
  cycle.message(graph::kNode, make_node("Tanh", {"b"}, {"a"}, "one"));
  cycle.message(graph::kNode, make_node("Tanh", {"a"}, {"b"}, "two"));
  expect_refused(Code::kInvalid, "one", make_model(cycle));
}

TEST(ReadOnnx, RefusesBadInputTypes) {
  const auto input = [](const WireWriter& message) {
    return small_model([&](WireWriter& graph) { graph.message(graph::kInput, message); });
  };
  expect_refused(Code::kUnsupported, "STRING", input(typed_value("s", 8, {1})));
  expect_refused(Code::kUnsupported, "UNDEFINED", input(typed_value("s", 0, {1})));
  WireWriter negative, dim, shape, tensor, type, untyped, sequence;
  untyped.text(value_info::kName, "u");
  expect_refused(Code::kInvalid, "graph input `u`", input(untyped));
  sequence.text(4, ""), untyped.message(value_info::kType, sequence);
  expect_refused(Code::kUnsupported, "no sequences", input(untyped));
  tensor.int64(tensor_type::kElemType, 1);
  type.message(type::kTensor, tensor);
  negative.text(value_info::kName, "r"), negative.message(value_info::kType, type);
  expect_refused(Code::kUnsupported, "rank is not known", input(negative));
  dim.int64(dim::kValue, -1), shape.message(shape::kDim, dim), tensor.message(tensor_type::kShape, shape);
  WireWriter outer, named;
  outer.message(type::kTensor, tensor), named.text(value_info::kName, "d"), named.message(value_info::kType, outer);
  expect_refused(Code::kInvalid, "dimension -1 is negative", input(named));
}

TEST(ReadOnnx, RefusesOpsItLacks) {
  expect_node_refused(Code::kUnsupported, "op Sofmax of domain `ai.onnx` at node `s` is not supported",
                      make_node("Sofmax", {"x"}, {"z"}, "s"));
  expect_node_refused(Code::kUnsupported, "nearest op octet has is Softmax", make_node("Sofmax", {"x"}, {"z"}, "s"));
  WireWriter foreign = make_node("Softmax", {"x"}, {"z"}), internal = make_node("Softmax", {"x"}, {"z"}),
             overload = make_node("Tanh", {"x"}, {"z"});
  foreign.text(node::kDomain, "com.example");
  internal.text(node::kDomain, "octet");
  overload.text(node::kOverload, "two");
  expect_node_refused(Code::kUnsupported, "domain `com.example` at node `Softmax_1`", foreign);
  expect_node_refused(Code::kUnsupported, "domain `octet`", internal);
  expect_node_refused(Code::kUnsupported, "op Tanh", overload);
  expect_node_refused(Code::kUnsupported, "not supported", make_node("", {"x"}, {"z"}));
  expect_node_refused(Code::kUnsupported, "not supported", make_node(std::string(1 << 20, 'q'), {"x"}, {"z"}));
}

TEST(ReadOnnx, RefusesBadAttributes) {
  const auto refuse = [](Code code, std::string_view part, std::string_view op, const std::vector<WireWriter>& attributes) {
    WireWriter message = make_node(op, {"x"}, {"z"}, "the node");
    for (const WireWriter& attribute : attributes) message.message(node::kAttribute, attribute);
    expect_node_refused(code, part, message);
    expect_node_refused(code, "the node", message);
  };
  const auto with = [](WireWriter header, uint32_t field, auto value) {
    if constexpr (std::is_same_v<decltype(value), float>) header.f32(field, value);
    else if constexpr (std::is_integral_v<decltype(value)>) header.int64(field, value);
    else header.text(field, value);
    return header;
  };
  const WireWriter axis = with(attribute_header("axis", 2), attribute::kInt, 0);
  refuse(Code::kUnsupported, "attribute `axes` of op Concat", "Concat", {axis, with(attribute_header("axes", 2), attribute::kInt, 0)});
  refuse(Code::kInvalid, "`axis` is given twice", "Concat", {axis, axis});
  refuse(Code::kInvalid, "no attribute `axis`, which ONNX requires", "Concat", {});
  refuse(Code::kInvalid, "no attribute `to`", "Cast", {});
  refuse(Code::kInvalid, "`axis` of op Concat is FLOAT but must be INT", "Concat",
         {with(attribute_header("axis", 1), attribute::kFloat, 0.f)});
  refuse(Code::kInvalid, "value of another type", "Concat", {with(attribute_header("axis", 2), attribute::kFloat, 0.f)});
  refuse(Code::kInvalid, "value of another type", "Concat", {with(axis, attribute::kString, "x")});
  refuse(Code::kInvalid, "has no type", "Concat", {with(attribute_header("axis", 0), attribute::kInt, 0)});
  refuse(Code::kInvalid, "has no type", "Concat", {attribute_header("axis", 99)});
  refuse(Code::kUnsupported, "UNDEFINED", "Cast", {with(attribute_header("to", 2), attribute::kInt, 0)});
  refuse(Code::kUnsupported, "INT4", "Cast", {with(attribute_header("to", 2), attribute::kInt, 22)});
  refuse(Code::kUnsupported, "is a GRAPH", "Concat", {axis, with(attribute_header("body", 5), attribute::kGraph, "")});
  refuse(Code::kUnsupported, "function's attribute", "Concat", {with(attribute_header("axis", 2), attribute::kRefName, "outer")});
  WireWriter many = make_node("Concat", {"x"}, {"z"}), sparse = make_node("Constant", {}, {"z"});
  for (int i = 0; i < 257; ++i) many.message(node::kAttribute, axis);
  expect_node_refused(Code::kInvalid, "too many attributes", many);
  sparse.message(node::kAttribute, with(attribute_header("sparse_value", 11), attribute::kSparseTensor, ""));
  expect_node_refused(Code::kUnsupported, "is a SPARSE_TENSOR", sparse);
}

}  // namespace
}  // namespace octet::onnx
