// The text form: exact round trips of everything a graph holds, and errors that say where.
#include "ir/text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "ir/test_ops.h"

namespace octet {
namespace {

using testing::HasSubstr;

Graph parse(std::string_view text) { return parse_graph(text, toy::find); }
const PrintOptions kAll{.max_elements = -1};

std::string names(const Graph& graph, const std::vector<ValueId>& ids) {
  std::string out;
  for (const ValueId id : ids) out += id == kNone ? "-;" : graph.value(id).name + ";";
  return out;
}

// Equality of all that the text holds, without the printer.
void expect_equal(const Graph& a, const Graph& b) {
  EXPECT_EQ(a.name, b.name);
  EXPECT_EQ(a.producer, b.producer);
  EXPECT_EQ(a.opset, b.opset);
  EXPECT_EQ(a.metadata, b.metadata);
  EXPECT_EQ(names(a, a.inputs), names(b, b.inputs));
  EXPECT_EQ(names(a, a.outputs), names(b, b.outputs));
  ASSERT_EQ(a.value_count(), b.value_count());
  for (size_t i = 0; i < a.value_count(); ++i) {
    const Value& x = a.value(static_cast<ValueId>(i));
    ASSERT_NE(b.find(x.name), kNone) << x.name;
    const Value& y = b.value(b.find(x.name));
    EXPECT_EQ(x.type, y.type) << x.name;
    ASSERT_EQ(x.constant.has_value(), y.constant.has_value()) << x.name;
    EXPECT_TRUE(!x.constant || x.constant->same_bytes(*y.constant)) << x.name;
    EXPECT_EQ(x.producer, y.producer) << x.name;
  }
  ASSERT_EQ(a.node_count(), b.node_count());
  for (NodeId i = 0; i < static_cast<NodeId>(a.node_count()); ++i) {
    EXPECT_EQ(a.node(i).name, b.node(i).name);
    EXPECT_EQ(a.node(i).source, b.node(i).source);
    EXPECT_EQ(names(a, a.node(i).inputs), names(b, b.node(i).inputs));
    EXPECT_EQ(names(a, a.node(i).outputs), names(b, b.node(i).outputs));
    EXPECT_TRUE(same_op(a.node(i).op, b.node(i).op, a.opset)) << i;
  }
}

void expect_round_trip(const Graph& graph) {
  const std::string text = print(graph, kAll);
  const Graph back = parse(text);
  expect_equal(graph, back);
  EXPECT_EQ(print(back, kAll), text);
}

TEST(Text, prints_the_documented_form) {
  const std::string text =
      "graph clip_text opset 20\n"
      "producer \"py\\\"torch\"\n"
      "meta \"key\" = \"a\\nb\"\n"
      "input %input_ids: i64[batch,77]\n"
      "const %w: e4m3[2,3] = {0x38,0x40,0x00,0x80,0x7f,0xff}\n"
      "%y: f16[3*batch,3] = Plus(%input_ids, _, %w) \"node name\"\n"
      "%a, _ = octet.Every(%y) {axis=-1, epsilon=1e-05, mode=\"linear\", pads=[0,0], to=f32}\n"
      "%s: f16[] = Source() {dims=[]} \"n\" from [\"p\",\"q\"]\n"
      "output %a\n";
  const Graph graph = parse(text);
  EXPECT_EQ(print(graph), std::string(text).replace(text.find(" {dims=[]}"), 10, ""));
  expect_round_trip(graph);
}

TEST(Text, every_attribute_comes_back) {
  Graph graph;
  const ValueId x = graph.add_input("x", {DType::f32, {Dim(1, "a b"), Dim(-2, "?7"), Dim(0, "n"), Dim(1, "3d"), Dim(1, "_"), 5}});
  toy::Every every;
  every.axis = INT64_MIN, every.epsilon = 0.1f, every.mode = "", every.note = "tab\t \"quoted\" \\ \x01 caf\xc3\xa9 \xff";
  every.axes = {1, -2, INT64_MAX}, every.pads = {}, every.to = DType::e8m0;
  every.factors = {0.1f, -0.0f, INFINITY, -INFINITY, std::nanf("5"), 1e-45f, 3.4028235e38f};
  every.value = from_f32(DType::bf16, {2, 2}, std::vector<float>{1, 0.3f, -5e-39f, NAN});
  graph.mark_output(graph.add(make_op(every), {x}, "y"));
  graph.mark_output(graph.add(make_op(toy::Every{}), {x}, "z"));
  expect_round_trip(graph);
}

TEST(Text, odd_names_are_quoted) {
  Graph graph;
  graph.name = "", graph.producer = "a;b", graph.metadata = {{"", ""}, {"k=\n", "\"v\\"}};
  ValueId last = graph.add_input("onnx::x 1", {DType::f32, {}});
  for (const char* name :
       {"a,b", "\"", "%x", "/text/Mat.Mul_0-1+?", "_", "input", "\xe2\x82\xac", "new\nline", "back\\slash", "; no comment", "0x1"})
    last = graph.add(make_op(toy::Plus{}), {last, last}, name, name);
  graph.node(0).source.clear();
  graph.node(1).source = {"", "two \" names"};
  graph.node(2).name.clear();
  graph.mark_output(last), graph.mark_output(last);
  expect_round_trip(graph);
  EXPECT_THAT(print(graph), HasSubstr("%/text/Mat.Mul_0-1+? = "));
}

TEST(Text, every_code_of_every_small_format_comes_back) {
  for (int i = 0; i < kDTypeCount; ++i) {
    const auto dtype = static_cast<DType>(i);
    const size_t size = size_of(dtype);
    constexpr uint32_t kSeed = 99;
    RecordProperty("seed", kSeed);
    std::mt19937_64 random(kSeed);
    const int64_t count = size == 1 ? 256 : size == 2 ? 65536 : 20000;
    HostTensor tensor(dtype, {count});
    std::byte* bytes = tensor.mutable_data();
    for (int64_t k = 0; k < count; ++k) {
      const uint64_t bits = size <= 2 ? static_cast<uint64_t>(k) : random();  // wide formats: random, NaNs among them
      std::memcpy(bytes + static_cast<size_t>(k) * size, &bits, size);
    }
    Graph graph;
    graph.mark_output(graph.add_constant("c", tensor));
    const Graph back = parse(print(graph, kAll));
    ASSERT_TRUE(back.constant_of(back.outputs[0])->same_bytes(tensor)) << name_of(dtype);
  }
}

TEST(Text, shapes_of_constants) {
  Graph graph;
  for (const auto& dims : std::vector<std::vector<int64_t>>{{}, {0}, {3, 0, 2}, {2, 1}})
    graph.mark_output(graph.add_constant("c", HostTensor(DType::i32, dims)));
  expect_round_trip(graph);
}

TEST(Text, hand_written_elements) {
  const Graph graph = parse(
      "graph g opset 20 const %a: e4m3[3] = {0.5, -500, 0x38} const %b: bool[3] = {true,false,1} const %c: f16[2] = {65504,-inf} output "
      "%a");
  EXPECT_EQ(to_f32(*graph.constant_of(graph.find("a"))), (std::vector<float>{0.5f, -448, 1}));
  EXPECT_EQ(to_f32(*graph.constant_of(graph.find("b"))), (std::vector<float>{1, 0, 1}));
  EXPECT_EQ(to_f32(*graph.constant_of(graph.find("c"))), (std::vector<float>{65504, -INFINITY}));
}

TEST(Text, big_constants_are_hashed) {
  Graph graph;
  graph.mark_output(graph.add_constant("w", HostTensor(DType::f32, {17})));
  const std::string text = print(graph);
  EXPECT_THAT(text, HasSubstr("const %w: f32[17] = xxh3:"));
  EXPECT_THROW(parse(text), Error);
  EXPECT_THAT(print(graph, {.max_elements = 17}), HasSubstr("= {0,0,"));
}

TEST(Text, leaves_out_what_nothing_uses) {
  Graph graph = parse(
      "graph g opset 20 input %x: f32[1] const %u: f32[1] = {1} const %w: f32[1] = {1} %y = Plus(%x, %u) %z = Plus(%x, %w) output %z");
  graph.erase(0);
  EXPECT_EQ(print(graph), "graph g opset 20\ninput %x: f32[1]\nconst %w: f32[1] = {1}\n%z = Plus(%x, %w)\noutput %z\n");
}

TEST(Text, a_node_may_have_no_outputs_and_no_inputs) {
  Graph graph = parse("graph g opset 20 = Source() _ = Source() %y = Source() output %y");
  EXPECT_TRUE(graph.node(0).outputs.empty());
  EXPECT_EQ(graph.node(1).outputs, std::vector<ValueId>{kNone});
  expect_round_trip(graph);
}

std::string error_of(std::string_view text) {
  try {
    parse(text);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kInvalid) << text;
    return error.render();
  }
  return "no error";
}

TEST(Text, errors_say_where) {
  const std::string head = "graph g opset 20\n";
  EXPECT_EQ(error_of(head + "input %x: f32[2]\n  %y = Plus(%x, %q)\n"), "line 3, column 17: `%q` is not defined before its use");
  EXPECT_EQ(error_of(head + "%y = Nope()"), "line 2, column 6: there is no operator `Nope`");
  EXPECT_EQ(error_of(head + "%y = Every()"), "line 2, column 6: there is no operator `Every`");
  EXPECT_EQ(error_of(head + "%y = Source() {dimz=[1]}"), "line 2, column 16: Source has no attribute `dimz`\n  fix: write dims");
  EXPECT_EQ(error_of(head + "%y = Source() {dims=3}"), "line 2, column 16: `dims` must be a list of integers");
  EXPECT_EQ(error_of(head + "const %w: f32[2] = {1}"), "line 2, column 11: f32[2] has 2 elements, and 1 are given");
  EXPECT_EQ(error_of(head + "const %w: i8[1] = {128}"), "line 2, column 20: `128` is not a value of i8");
  EXPECT_EQ(error_of("graph g opset 20 ; \xff\n\ninput x"), "line 3, column 7: expected `%`, found `x`");
}

TEST(Text, refuses_bad_text) {
  const std::string head = "graph g opset 20 input %x: f32[2] ";
  for (const char* bad : {"input %x: f32[2]",
                          "%x = Plus(%x)",
                          "%a, %a = Plus(%x)",
                          "%y = Plus(%y)",
                          "%y = Plus(%x",
                          "%y = Plus(%x,)",
                          "%y Plus(%x)",
                          "output x",
                          "%y = ",
                          "input %: f32[]",
                          "input %\"\": f32[]",
                          "input %y f32[]",
                          "input %y: f33[]",
                          "input %y: f32[2",
                          "input %y: f32[3*]",
                          "input %y: f32[\"\"]",
                          "input %y: f32[99999999999999999999]",
                          "const %y: f32[n] = {1}",
                          "const %y: f32[-1] = {}",
                          "const %y: f32[4611686018427387904,4] = {}",
                          "const %y: f32[1] = {x}",
                          "const %y: f32[1] = {0x123456789}",
                          "const %y: f32[1] = {1e99}",
                          "const %y: u8[1] = {-1}",
                          "const %y: bool[1] = {256}",
                          "const %y: i32[1] = {0.5}",
                          "const %y: f32[1] = {\"1\"}",
                          "%y = Source() {dims=[1.5]}",
                          "%y = Source() {dims=[1], dims=[2]}",
                          "%y = Source() {dims}",
                          "%y = octet.Every(%x) {axis=1e3}",
                          "%y = octet.Every(%x) {to=f99}",
                          "%y = octet.Every(%x) {mode=linear}",
                          "%y = octet.Every(%x) {epsilon=\"1\"}",
                          "%y = octet.Every(%x) {value=f32[2]}",
                          "%y = octet.Every(%x) {value=1}",
                          "%y = Source() \"open",
                          "%y = Source() \"\\q\"",
                          "%y = Source() \"\\x4\"",
                          "%y = Source() \"\\xg0\"",
                          "%y = Source() \"a\nb\"",
                          "%y = Source() from [x]",
                          "meta k = \"v\"",
                          "producer p",
                          "nonsense",
                          "\x01",
                          "@"})
    EXPECT_THAT(error_of(head + bad), HasSubstr("line ")) << bad;
  for (const char* bad :
       {"", "graph", "graph g", "graph g opset", "graph g opset x", "graph g opset 0", "graph g opset 1001", "input %x: f32[2]"})
    EXPECT_THAT(error_of(bad), HasSubstr("line 1")) << bad;
}

TEST(Text, big_constants_lie_aside) {
  const std::string text =
      "graph g opset 20\ninput %x: f32[3]\nconst %w: f32[3] = {1,2,0x7fc00001}\nconst %v: f32[1] = {4}\n%y = Plus(%x, %w, %v)\noutput %y\n";
  const Graph graph = parse(text);
  std::map<std::string, HostTensor> side;
  PrintOptions options{.max_elements = 2};
  options.aside = [&](const std::string& name, const HostTensor& tensor) { return side.emplace(name, tensor).second; };
  const std::string printed = print(graph, options);
  EXPECT_THAT(printed, HasSubstr("const %w: f32[3] = side\n"));
  EXPECT_THAT(printed, HasSubstr("const %v: f32[1] = {4}\n"));
  const auto find = [&](const std::string& name) { return side.at(name); };
  expect_equal(graph, parse_graph(printed, toy::find, find));
  EXPECT_THAT(error_of(printed), HasSubstr("side file"));
  side.at("w") = HostTensor(DType::f32, {2});
  EXPECT_THROW(parse_graph(printed, toy::find, find), Error);
  options.aside = [](const std::string&, const HostTensor&) { return false; };
  EXPECT_THAT(print(graph, options), HasSubstr("{1,2,0x7fc00001}"));  // what may not lie aside is printed in full
}

// Any bytes give a graph or an Error: valid text cut at every place, and with every byte changed.
TEST(Text, survives_damage) {
  const std::string text =
      "graph g opset 20 producer \"p\" input %x: f32[n,2*m] const %w: e4m3[2] = {0x38,1}\n"
      "%a, _ = octet.Every(%x, _, %w) {axes=[1,2], value=f16[2]{1,0x7c00}, note=\"\\x41\"} \"n\" from [\"q\"] output %a";
  parse(text);
  int refused = 0;
  const auto attempt = [&](const std::string& damaged) {
    try {
      parse(damaged);
    } catch (const Error&) {
      ++refused;
    }
  };
  for (size_t i = 0; i < text.size(); ++i) {
    attempt(text.substr(0, i));
    for (const char c : {'\0', '"', '%', '{', ']', ',', '9', '-', '\\', '\xff', ' '}) attempt(std::string(text).replace(i, 1, 1, c));
  }
  EXPECT_GT(refused, 500);
}

}  // namespace
}  // namespace octet
