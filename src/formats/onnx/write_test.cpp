// Graph -> file -> graph gives the same text, constants included; the file is what ONNX asks for. That other readers agree:
// tests/e2e/onnx_roundtrip.py.
#include "formats/onnx/write.h"

#include "base/file.h"
#include "formats/onnx/testing.h"
#include "ir/text.h"
#include "ops/arithmetic.h"
#include "ops/cast.h"
#include "ops/clip.h"
#include "ops/concat.h"
#include "ops/constant.h"
#include "ops/layer_normalization.h"
#include "ops/matmul.h"
#include "ops/quantize.h"
#include "ops/reshape.h"
#include "ops/softmax.h"
#include "ops/transpose.h"
#include "ops/unary.h"

namespace octet::onnx {
namespace {

using namespace test;

HostTensor filled(DType dtype, Dims dims) {
  HostTensor out(dtype, std::move(dims));
  for (int64_t i = 0; i < out.count(); ++i) out.set(i, dtype == DType::e8m0 ? 1.0 : static_cast<double>(i % 2));
  return out;
}

Dim batch(int64_t factor = 1) { return Dim(factor, "batch"); }

// An FP8 linear layer, a norm and a softmax: required, defaulted and changed attributes, an omitted input, odd names.
Graph sample(int64_t width = 8) {
  Graph g;
  g.name = "sample";
  g.opset = 21;
  g.metadata = {{"a", "1"}, {"b", "two\nlines"}};
  const ValueId x = g.add_input("x", {DType::f16, {batch(), 4, width}});
  const ValueId w = g.add_constant("w", filled(DType::e4m3, {width, width}));
  const ValueId s = g.add_constant("scale", from_f32(DType::f16, {}, std::vector<float>{0.5f}));
  const ValueId z = g.add_constant("zero", HostTensor(DType::e4m3, {}));
  const ValueId gamma = g.add_constant("gamma", filled(DType::f16, {width}));
  const ValueId q = g.add(make_op(QuantizeLinear{}), {x, s, z}, "x/q", "quantize");
  const ValueId d = g.add(make_op(DequantizeLinear{}), {q, s, z}, "x/dq", "dequantize");
  const ValueId wd = g.add(make_op(DequantizeLinear{}), {w, s, z}, "w/dq", "dequantize_w");
  const ValueId m = g.add(make_op(MatMul{}), {d, wd}, "m", "multiply");
  const ValueId n = g.add(make_op(LayerNormalization{.epsilon = 1e-6f}), {m, gamma}, "normed", "norm");
  const ValueId t = g.add(make_op(Transpose{{0, 2, 1}}), {n}, "t <odd \"name\">", "transpose");
  const ValueId c = g.add(make_op(Concat{.axis = 0}), {t, t}, "twice", "concat");
  const ValueId low = g.add_constant("low", HostTensor(DType::f16, {}));
  const ValueId clipped = g.add(make_op(Clip{}), {c, kNone, low}, "clipped", "clip");
  const ValueId y = g.add(make_op(Cast{.to = DType::f32}), {clipped}, "cast", "cast");
  g.mark_output(g.add(make_op(Softmax{.axis = 1}), {y}, "y", "softmax"));
  check_types(g);
  return g;
}

std::string text_of(const Graph& graph) { return print(graph, {.max_elements = -1}); }

// Written, read and typed again.
Graph round_trip(const Graph& graph, const std::filesystem::path& path, const WriteOptions& options = {}) {
  write_onnx(graph, path, options);
  Graph back = read_onnx(path);
  EXPECT_EQ(back.producer, "octet");
  back.producer = graph.producer;
  check_types(back);
  return back;
}

// The fields `path` of nested messages of a file, as text: {kGraph, kNode, kOpType}.
std::vector<std::string> fields(WireReader reader, std::vector<uint32_t> path) {
  std::vector<std::string> out;
  const uint32_t number = path.front();
  path.erase(path.begin());
  while (reader.next()) {
    if (reader.field() != number) continue;
    if (path.empty()) out.emplace_back(reader.text());
    else std::ranges::move(fields(reader.message(), path), std::back_inserter(out));
  }
  return out;
}
int64_t ir_version_of(const std::filesystem::path& path) {
  const auto file = MappedFile::open(path);
  for (WireReader reader(file->bytes()); reader.next();)
    if (reader.field() == model::kIrVersion) return reader.int64();
  return 0;
}

TEST(WriteOnnx, RoundTrips) {
  const TemporaryDirectory directory;
  const Graph graph = sample();
  EXPECT_EQ(text_of(round_trip(graph, directory / "a.onnx")), text_of(graph));
  EXPECT_FALSE(std::filesystem::exists(directory / "a.onnx.data"));
}

TEST(WriteOnnx, RoundTripsThroughAnExternalFile) {
  const TemporaryDirectory directory;
  const Graph graph = sample(40), before = sample(41);
  round_trip(before, directory / "a.onnx", {.external = true});
  const Graph back = round_trip(graph, directory / "a.onnx", {.external = true});
  EXPECT_EQ(text_of(back), text_of(graph));
  EXPECT_EQ(std::filesystem::file_size(directory / "a.onnx.data"), 1600u);  // w alone is above 1 KiB
  EXPECT_LT(std::filesystem::file_size(directory / "a.onnx"), 3000u);
  // Over itself, while it is mapped.
  EXPECT_EQ(text_of(round_trip(back, directory / "a.onnx")), text_of(graph));
}

TEST(WriteOnnx, AModelAboveTheLimitKeepsItsTensorsBeside) {
  const TemporaryDirectory directory;
  const Graph graph = sample(40);
  round_trip(graph, directory / "whole.onnx");
  const uint64_t size = std::filesystem::file_size(directory / "whole.onnx");
  round_trip(graph, directory / "a.onnx", {.limit = size});
  EXPECT_FALSE(std::filesystem::exists(directory / "a.onnx.data"));
  EXPECT_EQ(text_of(round_trip(graph, directory / "a.onnx", {.limit = size - 1})), text_of(graph));
  EXPECT_EQ(std::filesystem::file_size(directory / "a.onnx.data"), 1600u);
  try {
    write_onnx(graph, directory / "b.onnx", {.limit = 100});
    FAIL() << "a graph that does not fit was written";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kUnsupported);
  }
  EXPECT_FALSE(std::filesystem::exists(directory / "b.onnx"));
}

TEST(WriteOnnx, ExternalTensorsStartAtPages) {
  const TemporaryDirectory directory;
  Graph graph;
  graph.name = "g";
  for (const int64_t size : {2000, 1024, 5000, 1025}) {
    const ValueId c = graph.add_constant(fmt::format("c{}", size), filled(DType::u8, {size}));
    graph.mark_output(graph.add(make_op(Identity{}), {c}, "", fmt::format("n{}", size)));
  }
  check_types(graph);
  const Graph back = round_trip(graph, directory / "a.onnx", {.external = true});
  EXPECT_EQ(text_of(back), text_of(graph));
  EXPECT_EQ(std::filesystem::file_size(directory / "a.onnx.data"), 3u * 4096 + 1025);  // 2000, 5000 (two pages), 1025
}

TEST(WriteOnnx, EveryTypeRoundTrips) {
  const TemporaryDirectory directory;
  Graph graph;
  graph.name = "g";
  for (int i = 0; i < kDTypeCount; ++i) {
    const auto dtype = static_cast<DType>(i);
    const ValueId c = graph.add_constant(fmt::format("c{}", i), filled(dtype, {3, 2}));
    const ValueId x = graph.add_input(fmt::format("x{}", i), {dtype, {batch(257), 2}});
    graph.mark_output(graph.add(make_op(Concat{}), {c, x}, "", fmt::format("n{}", i)));
  }
  check_types(graph);
  EXPECT_EQ(text_of(round_trip(graph, directory / "a.onnx")), text_of(graph));
}

TEST(WriteOnnx, TensorAttributesRoundTrip) {
  const TemporaryDirectory directory;
  Graph graph;
  graph.name = "g";
  const ValueId shape = graph.add_constant("shape", HostTensor::of<int64_t>(DType::i64, {2}, std::array<int64_t, 2>{2, 3}));
  for (const double value : {0.0, 7.0}) {
    ConstantOfShape op;
    op.value = HostTensor(DType::f16, {1});
    op.value.set(0, value);
    graph.mark_output(graph.add(make_op(op), {shape}, "", fmt::format("n{}", value)));
  }
  graph.mark_output(graph.add(make_op(ConstantOfShape{}), {shape}, "", "default"));
  check_types(graph);
  EXPECT_EQ(text_of(round_trip(graph, directory / "a.onnx")), text_of(graph));
}

TEST(WriteOnnx, WritesOnlyWhatIsNeeded) {
  const TemporaryDirectory directory;
  Graph graph = sample();
  graph.add_constant("unused", filled(DType::f32, {1000}));
  write_onnx(graph, directory / "a.onnx");
  const auto file = MappedFile::open(directory / "a.onnx");
  const auto list = [&](std::vector<uint32_t> path) { return fields(WireReader(file->bytes()), std::move(path)); };
  EXPECT_EQ(list({model::kGraph, graph::kInitializer, tensor::kName}), (std::vector<std::string>{"w", "scale", "zero", "gamma", "low"}));
  EXPECT_EQ(list({model::kGraph, graph::kNode, node::kAttribute, attribute::kName}),
            (std::vector<std::string>{"epsilon", "perm", "axis", "to", "axis"}));  // Concat.axis = 0 and Cast.to = f32 are required
  EXPECT_EQ(list({model::kGraph, graph::kValueInfo, value_info::kName}).size(), 9u);
  EXPECT_EQ(list({model::kProducerName}), std::vector<std::string>{"octet"});
  const std::vector<std::string> params =
      list({model::kGraph, graph::kOutput, value_info::kType, type::kTensor, tensor_type::kShape, shape::kDim, dim::kParam});
  EXPECT_EQ(params, std::vector<std::string>{"2*batch"});
}

TEST(WriteOnnx, DeadNodesStayBehind) {
  const TemporaryDirectory directory;
  Graph graph = sample();
  graph.add(make_op(Tanh{}), {graph.inputs[0]}, "extra");
  graph.erase(static_cast<NodeId>(graph.node_count() - 1));
  EXPECT_EQ(text_of(round_trip(graph, directory / "a.onnx")), text_of(sample()));
}

TEST(WriteOnnx, TheIrVersionFollowsTheOpset) {
  const TemporaryDirectory directory;
  Graph graph = sample();
  for (const auto& [opset, ir] : {std::pair(20, 10), {21, 10}, {22, 10}, {23, 10}, {24, 12}, {25, 13}}) {
    graph.opset = opset;
    write_onnx(graph, directory / "a.onnx");
    EXPECT_EQ(ir_version_of(directory / "a.onnx"), ir);
    EXPECT_EQ(read_onnx(directory / "a.onnx").opset, opset);
  }
  graph.opset = 21;
  graph.mark_output(graph.add_constant("mx", filled(DType::e8m0, {4})));
  write_onnx(graph, directory / "a.onnx");
  EXPECT_EQ(ir_version_of(directory / "a.onnx"), 12);  // FLOAT8E8M0 came with it
}

TEST(WriteOnnx, UnknownDimensionsStayUnknown) {
  const TemporaryDirectory directory;
  Graph graph;
  const ValueId x = graph.add_input("x", {DType::f32, {fresh_dim(), Dim(2, "n")}});
  graph.mark_output(graph.add(make_op(Tanh{}), {x}, "y"));
  check_types(graph);
  write_onnx(graph, directory / "a.onnx");
  const auto file = MappedFile::open(directory / "a.onnx");
  EXPECT_EQ(file->text().find('?'), std::string_view::npos);
  const Graph back = read_onnx(directory / "a.onnx");
  const Shape& shape = back.value(back.inputs[0]).type->shape;
  EXPECT_EQ(shape[0].symbol[0], '?');
  EXPECT_EQ(shape[1], Dim(2, "n"));
}

TEST(WriteOnnx, RefusesWhatItCannotWrite) {
  const TemporaryDirectory directory;
  Graph untyped;
  const ValueId x = untyped.add_input("x", {DType::f32, {1}});
  untyped.mark_output(untyped.add(make_op(Tanh{}), {x}, "y"));
  expect_error(Code::kInternal, "y", [&] { write_onnx(untyped, directory / "a.onnx"); });
  EXPECT_FALSE(std::filesystem::exists(directory / "a.onnx"));
  expect_error(Code::kIo, "cannot create", [&] { write_onnx(sample(), directory / "no/such/a.onnx"); });
}

}  // namespace
}  // namespace octet::onnx
