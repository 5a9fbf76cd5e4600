// Damage at random and inputs at scale: read_onnx either reads or throws a typed Error, soon.
#include <ctime>
#include <random>

#include "formats/onnx/testing.h"

namespace octet::onnx {
namespace {

using namespace test;
using namespace std::literals;

// A model with some of everything the reader knows.
std::string rich_model() {
  WireWriter graph = small_graph();
  WireWriter typed = tensor_header("i", kInt64, {3}), typed16 = tensor_header("h", kFloat16, {2});
  for (const int64_t v : {1, -2, 300}) typed.int64(tensor::kInt64Data, v);
  typed16.text(tensor::kInt32Data, "\x80\x78\x01"s);
  graph.message(graph::kInitializer, raw_tensor("w", kE4m3, {3, 2}, "\x30\x31\x32\xb3\x34\x7f"));
  graph.message(graph::kInitializer, typed);
  graph.message(graph::kInitializer, typed16);
  WireWriter norm = make_node("LayerNormalization", {"y", "", "w"}, {"n", "", "d"}, "norm");
  add_int(norm, "axis", -1);
  WireWriter epsilon = attribute_header("epsilon", 1), perm = attribute_header("perm", 7), transpose = make_node("Transpose", {"n"}, {"t"});
  epsilon.f32(attribute::kFloat, 1e-6f);
  norm.message(node::kAttribute, epsilon);
  perm.int64(attribute::kInts, 1), perm.int64(attribute::kInts, 0);
  transpose.message(node::kAttribute, perm);
  WireWriter value = attribute_header("value", 4), constant = make_node("Constant", {}, {"c"});
  value.message(attribute::kTensor, raw_tensor("", kFloat, {1}, "1234"));
  constant.message(node::kAttribute, value);
  graph.message(graph::kNode, constant);
  graph.message(graph::kNode, norm);
  graph.message(graph::kNode, transpose);
  graph.message(graph::kInput, typed_value("ids", kInt64, {"batch", "", 77, "3*batch"}));
  graph.message(graph::kOutput, typed_value("t", kFloat, {3}));
  return make_model(graph);
}

enum class Outcome { kRead, kRefused };
Outcome try_read(const std::string& bytes) {
  try {
    read(bytes);
    return Outcome::kRead;
  } catch (const Error& error) {
    EXPECT_TRUE(error.code() == Code::kInvalid || error.code() == Code::kUnsupported) << error.render();
    return Outcome::kRefused;
  }
}

// Of this process's CPU, so that a busy machine changes nothing.
double cpu_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

double seconds_to_read(const std::string& bytes, Code expected, std::string_view part) {
  const double start = cpu_seconds();
  expect_error(expected, part, [&] { read(bytes); });
  return cpu_seconds() - start;
}

TEST(Hostile, TruncatedAtEveryByte) {
  const std::string bytes = rich_model();
  ASSERT_EQ(try_read(bytes), Outcome::kRead);
  for (size_t size = 0; size < bytes.size(); ++size) EXPECT_EQ(try_read(bytes.substr(0, size)), Outcome::kRefused) << size;
}

TEST(Hostile, RandomMutations) {
  const auto seed = std::random_device{}();
  RecordProperty("seed", static_cast<int>(seed));
  SCOPED_TRACE(fmt::format("seed {}", seed));
  std::mt19937 random(seed);
  const auto below = [&](size_t n) { return std::uniform_int_distribution<size_t>(0, n - 1)(random); };
  const std::string original = rich_model();
  int read_count = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::string bytes = original;
    for (size_t changes = 1 + below(4); changes > 0; --changes) {
      const size_t at = below(bytes.size());
      switch (below(4)) {
        case 0:
          bytes[at] = static_cast<char>(below(256));
          break;
        case 1:
          bytes[at] = static_cast<char>(bytes[at] ^ (1 << below(8)));
          break;
        case 2:
          bytes.insert(at, 1 + below(8), static_cast<char>(below(256)));
          break;
        default:
          bytes.erase(at, 1 + below(8));
          break;
      }
    }
    read_count += try_read(bytes) == Outcome::kRead;
  }
  EXPECT_GT(read_count, 0);  // names and weights may change freely
  EXPECT_LT(read_count, 20'000);
}

TEST(Hostile, RandomBytes) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE(fmt::format("seed {}", seed));
  std::mt19937 random(seed);
  for (int i = 0; i < 5'000; ++i) {
    std::string bytes(random() % 200, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random());
    EXPECT_EQ(try_read(bytes), Outcome::kRefused);
  }
}

// Every length field of a small model replaced by lies, one at a time: found by trying every byte.
TEST(Hostile, LyingLengths) {
  const std::string bytes = make_model(small_graph());
  for (size_t at = 0; at < bytes.size(); ++at)
    for (const std::string_view lie :
         {"\xff\xff\xff\xff\x07"sv, "\xff\xff\xff\xff\xff\xff\xff\xff\x7f"sv, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"sv}) {
      std::string lying = bytes;
      lying.replace(at, 1, lie);
      try_read(lying);
    }
}

TEST(Hostile, NestingBombs) {
  std::string groups = make_model(small_graph()) + std::string(200'000, '\x0b') + std::string(200'000, '\x0c');
  EXPECT_LT(seconds_to_read(groups, Code::kInvalid, "nested too deeply"), 1);
  WireWriter inner = small_graph();  // 30 nested Ifs; the reader stops at the first
  for (int i = 0; i < 30; ++i) {
    WireWriter branch = attribute_header("then_branch", 5), node = make_node("If", {"x"}, {"z"}, "the if");
    branch.message(attribute::kGraph, inner);
    node.message(node::kAttribute, branch);
    WireWriter outer = small_graph();
    outer.message(graph::kNode, node);
    inner = outer;
  }
  EXPECT_LT(seconds_to_read(make_model(inner), Code::kUnsupported, "the if"), 1);
  std::string type;  // a sequence of sequences of ...
  WireWriter sequence;
  for (int i = 0; i < 10'000; ++i) {
    WireWriter element, outer;
    element.message(1, sequence);
    outer.message(4, element);
    sequence = outer;
    if (sequence.size() > 200'000) break;
  }
  WireWriter input, graph = small_graph();
  input.text(value_info::kName, "s");
  input.message(value_info::kType, sequence);
  graph.message(graph::kInput, input);
  EXPECT_LT(seconds_to_read(make_model(graph), Code::kUnsupported, "no sequences"), 1);
}

TEST(Hostile, NamesOfAnyKind) {
  for (const std::string& name : {"\0nul"s, std::string(1 << 20, 'n'), "</script><script>alert(1)"s, "\x1b[31mred"s, "=HYPERLINK(1)"s,
                                  "../../x"s, "\xff\xfe broken utf-8"s, "%y: f32[1] = Relu(%x)\n"s}) {
    WireWriter graph = small_graph();
    graph.message(graph::kNode, make_node("Tanh", {"x"}, {name}, name));
    EXPECT_NE(read(make_model(graph)).find(name), kNone);
    graph.message(graph::kNode, make_node("Nonsense", {name}, {"z"}, name));
    try {
      read(make_model(graph));
      ADD_FAILURE();
    } catch (const Error& error) {
      const std::string text = error.render();
      EXPECT_LT(text.size(), 2000u);
      for (const char c : text) EXPECT_TRUE(c == '\n' || static_cast<unsigned char>(c) >= 0x20) << text;
    }
  }
}

TEST(Hostile, AChainOf100kNodes) {
  WireWriter graph;
  constexpr int kNodes = 100'000;
  for (int i = kNodes; i-- > 0;)  // last first: the worst order
    graph.message(graph::kNode, make_node("Tanh", {fmt::format("v{}", i)}, {fmt::format("v{}", i + 1)}));
  graph.message(graph::kInput, typed_value("v0", kFloat, {"batch"}));
  graph.message(graph::kOutput, typed_value(fmt::format("v{}", kNodes), kFloat, {"batch"}));
  const std::string bytes = make_model(graph);
  const double start = cpu_seconds();
  Graph chain = read(bytes);
  EXPECT_LT(cpu_seconds() - start, 2);
  EXPECT_EQ(chain.node(0).source.at(0), fmt::format("Tanh_{}", kNodes - 1));
  EXPECT_EQ(chain.value(chain.outputs.at(0)).producer, kNodes - 1);
}

TEST(Hostile, ConcatOfManyInputsAndManyInitializers) {
  constexpr int kCount = 200'000;
  WireWriter graph = small_graph();
  std::vector<std::string> names(kCount);
  for (int i = 0; i < kCount; ++i) {
    names[static_cast<size_t>(i)] = fmt::format("w{}", i);
    graph.message(graph::kInitializer, raw_tensor(names[static_cast<size_t>(i)], kFloat, {1}, "1234"));
  }
  WireWriter concat = make_node("Concat", Names(names.begin(), names.end()), {"all"});
  add_int(concat, "axis", 0);
  graph.message(graph::kNode, concat);
  const Graph wide = read(make_model(graph));
  EXPECT_EQ(wide.node(1).inputs.size(), static_cast<size_t>(kCount));
}

// Few bytes that ask for much.
TEST(Hostile, AmplificationIsBounded) {
  WireWriter empty_names = make_node("Tanh", {"x"}, {"z"}), graph = small_graph();
  for (int i = 0; i < 5'000'000; ++i) empty_names.text(node::kInput, "");
  graph.message(graph::kNode, empty_names);
  EXPECT_LT(seconds_to_read(make_model(graph), Code::kInvalid, "too many inputs"), 2);
  WireWriter list = attribute_header("perm", 7), node = make_node("Transpose", {"x"}, {"z"}), wide = small_graph();
  list.text(attribute::kInts, std::string(2'000'000, '\0'));
  node.message(node::kAttribute, list);
  wide.message(graph::kNode, node);
  EXPECT_LT(seconds_to_read(make_model(wide), Code::kInvalid, "list is too long"), 1);
}

}  // namespace
}  // namespace octet::onnx
