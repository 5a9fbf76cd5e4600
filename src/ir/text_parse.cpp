// Text -> graph, by recursive descent without recursion: the grammar (ir/text.h) does not nest.
#include <algorithm>

#include "base/error.h"
#include "base/text.h"
#include "ir/text.h"
#include "ir/text_lexer.h"
#include "ir/text_literals.h"

namespace octet {
namespace {

using text::Lexer;
using text::Token;
using FindOp = const OpDef* (*)(std::string_view name, std::string_view domain);

template <class Item>
void read_list(Lexer& lexer, std::string_view open, std::string_view close, Item&& item) {
  lexer.expect(open);
  if (lexer.accept(close)) return;
  do item();
  while (lexer.accept(","));
  lexer.expect(close);
}

int64_t read_int(Lexer& lexer, std::string_view what) {
  const size_t offset = lexer.peek().offset;
  const std::string word = lexer.word(what);
  const auto value = text::parse_int(word);
  if (!value) lexer.fail_at(offset, fmt::format("`{}` is not a 64-bit integer", word));
  return *value;
}

Dim read_dim(Lexer& lexer) {
  const Token& token = lexer.peek();
  const bool number = token.kind == Token::kWord && (token.text[0] == '-' || (token.text[0] >= '0' && token.text[0] <= '9'));
  const int64_t value = number ? read_int(lexer, "a dimension") : 1;
  if (number && !lexer.accept("*")) return value;
  const size_t offset = lexer.peek().offset;
  std::string symbol = lexer.word_or_string("a dimension");
  if (symbol.empty()) lexer.fail_at(offset, "a symbol has no name");
  return {value, std::move(symbol)};
}

TensorType read_type(Lexer& lexer) {
  const size_t offset = lexer.peek().offset;
  const std::string word = lexer.word("an element type");
  const auto dtype = parse_dtype(word);
  if (!dtype)
    lexer.fail_at(offset, fmt::format("`{}` is not an element type", word), "one of f32 f16 bf16 e4m3 e5m2 e8m0 i8 u8 i32 i64 bool f64");
  TensorType type{*dtype, {}};
  read_list(lexer, "[", "]", [&] { type.shape.push_back(read_dim(lexer)); });
  return type;
}

// The elements come first and the storage after: its size is bounded by the text.
HostTensor read_elements(Lexer& lexer, const TensorType& type, size_t type_offset) {
  if (lexer.is("xxh3")) lexer.fail_at(lexer.peek().offset, "the elements were printed as a hash", "print with max_elements = -1");
  std::vector<Token> words;
  read_list(lexer, "{", "}", [&] {
    if (lexer.peek().kind != Token::kWord) lexer.fail_expected("an element");
    words.push_back(lexer.next());
  });
  if (!all_static(type.shape)) lexer.fail_at(type_offset, "a tensor has a symbolic dimension");
  const std::vector<int64_t> dims = static_dims(type.shape);
  int64_t count = 0;
  try {
    count = element_count(dims);
  } catch (const Error& error) {
    lexer.fail_at(type_offset, error.message());
  }
  if (count != static_cast<int64_t>(words.size()))
    lexer.fail_at(type_offset, fmt::format("{} has {} elements, and {} are given", to_string(type), count, words.size()));
  HostTensor tensor(type.dtype, dims);
  for (int64_t i = 0; i < count; ++i) {
    const Token& word = words[static_cast<size_t>(i)];
    if (!text::parse_element(word.text, tensor, i))
      lexer.fail_at(word.offset, fmt::format("`{}` is not a value of {}", word.text, name_of(type.dtype)));
  }
  return tensor;
}

struct Attribute {
  enum Kind { kWord, kString, kList, kTensor } kind = kWord;
  std::string name, text;
  std::vector<std::string> items;
  HostTensor tensor;
  size_t offset = 0;
  bool used = false;
};

Attribute read_attribute(Lexer& lexer) {
  Attribute attribute;
  attribute.offset = lexer.peek().offset;
  attribute.name = lexer.word("an attribute name");
  lexer.expect("=");
  const size_t offset = lexer.peek().offset;
  if (lexer.is("[")) {
    attribute.kind = Attribute::kList;
    read_list(lexer, "[", "]", [&] { attribute.items.push_back(lexer.word("a number")); });
    return attribute;
  }
  if (lexer.peek().kind == Token::kString) {
    attribute.kind = Attribute::kString;
    attribute.text = lexer.next().text;
    return attribute;
  }
  Lexer ahead = lexer;
  attribute.text = ahead.word("an attribute value");
  if (ahead.is("[")) {
    attribute.kind = Attribute::kTensor;
    const TensorType type = read_type(lexer);
    attribute.tensor = read_elements(lexer, type, offset);
  } else {
    lexer = ahead;
  }
  return attribute;
}

// Assigns what was read to the fields of the same name.
class AttributeReader final : public FieldVisitor {
 public:
  AttributeReader(const Lexer& lexer, std::vector<Attribute>& attributes) : lexer_(lexer), attributes_(attributes) {}
  std::vector<std::string> names;

  void field(std::string_view name, int64_t& value) override {
    if (auto* a = find(name, Attribute::kWord, "an integer")) value = number(*a, a->text, text::parse_int(a->text), "an integer");
  }
  void field(std::string_view name, float& value) override {
    if (auto* a = find(name, Attribute::kWord, "a float")) value = number(*a, a->text, text::parse_float(a->text), "a float");
  }
  void field(std::string_view name, std::string& value) override {
    if (auto* a = find(name, Attribute::kString, "a string")) value = a->text;
  }
  void field(std::string_view name, std::vector<int64_t>& value) override {
    auto* a = find(name, Attribute::kList, "a list of integers");
    if (a == nullptr) return;
    value.clear();
    for (const auto& item : a->items) value.push_back(number(*a, item, text::parse_int(item), "an integer"));
  }
  void field(std::string_view name, std::vector<float>& value) override {
    auto* a = find(name, Attribute::kList, "a list of floats");
    if (a == nullptr) return;
    value.clear();
    for (const auto& item : a->items) value.push_back(number(*a, item, text::parse_float(item), "a float"));
  }
  void field(std::string_view name, DType& value) override {
    if (auto* a = find(name, Attribute::kWord, "an element type")) value = number(*a, a->text, parse_dtype(a->text), "an element type");
  }
  void field(std::string_view name, HostTensor& value) override {
    if (auto* a = find(name, Attribute::kTensor, "a tensor")) value = a->tensor;
  }

 private:
  Attribute* find(std::string_view name, Attribute::Kind kind, std::string_view what) {
    names.emplace_back(name);
    for (Attribute& attribute : attributes_) {
      if (attribute.name != name) continue;
      if (attribute.kind != kind) lexer_.fail_at(attribute.offset, fmt::format("`{}` must be {}", name, what));
      attribute.used = true;
      return &attribute;
    }
    return nullptr;
  }
  template <class T>
  T number(const Attribute& attribute, const std::string& word, const std::optional<T>& value, std::string_view what) const {
    if (!value) lexer_.fail_at(attribute.offset, fmt::format("`{}` in `{}` is not {}", word, attribute.name, what));
    return *value;
  }
  const Lexer& lexer_;
  std::vector<Attribute>& attributes_;
};

class Parser {
 public:
  Parser(std::string_view source, FindOp find_op, const SideTensors& side) : lexer_(source), find_op_(find_op), side_(side) {}

  Graph run() {
    lexer_.expect("graph");
    graph_.name = lexer_.word_or_string("the graph's name");
    lexer_.expect("opset");
    const size_t offset = lexer_.peek().offset;
    const int64_t opset = read_int(lexer_, "an opset number");
    if (opset < 1 || opset > 1000) lexer_.fail_at(offset, fmt::format("opset {} is not a version of ONNX", opset));
    graph_.opset = static_cast<int>(opset);
    while (lexer_.peek().kind != Token::kEnd) statement();
    return std::move(graph_);
  }

 private:
  void statement() {
    if (lexer_.is("%") || lexer_.is("_") || lexer_.is("=")) return read_node();
    if (lexer_.accept("input")) return read_input();
    if (lexer_.accept("const")) return read_constant();
    if (lexer_.accept("output")) return graph_.mark_output(use());
    if (lexer_.accept("producer")) graph_.producer = lexer_.string("a quoted name");
    else if (lexer_.accept("meta")) {
      std::string key = lexer_.string("a quoted key");
      lexer_.expect("=");
      graph_.metadata[std::move(key)] = lexer_.string("a quoted value");
    } else lexer_.fail_expected("input, const, output, producer, meta or a node");
  }

  std::string new_name() {
    const size_t offset = lexer_.peek().offset;
    lexer_.expect("%");
    std::string name = lexer_.word_or_string("a value's name");
    if (name.empty()) lexer_.fail_at(offset, "a value has no name");
    if (graph_.find(name) != kNone) lexer_.fail_at(offset, fmt::format("`%{}` is defined twice", printable(name)));
    return name;
  }

  ValueId use() {
    const size_t offset = lexer_.peek().offset;
    lexer_.expect("%");
    const std::string name = lexer_.word_or_string("a value's name");
    const ValueId id = graph_.find(name);
    if (id == kNone) lexer_.fail_at(offset, fmt::format("`%{}` is not defined before its use", printable(name)));
    return id;
  }

  void read_input() {
    std::string name = new_name();
    lexer_.expect(":");
    graph_.add_input(std::move(name), read_type(lexer_));
  }

  void read_constant() {
    std::string name = new_name();
    lexer_.expect(":");
    const size_t offset = lexer_.peek().offset;
    const TensorType type = read_type(lexer_);
    lexer_.expect("=");
    HostTensor tensor = lexer_.accept("side") ? side_tensor(name, type, offset) : read_elements(lexer_, type, offset);
    graph_.add_constant(std::move(name), std::move(tensor));
  }

  HostTensor side_tensor(const std::string& name, const TensorType& type, size_t offset) const {
    if (!side_) lexer_.fail_at(offset, fmt::format("`%{}` lies in a side file, and none is read here", printable(name)));
    HostTensor tensor = side_(name);
    const TensorType found{tensor.dtype(), to_shape(tensor.dims())};
    if (found != type)
      lexer_.fail_at(offset, fmt::format("`%{}` is {} here and {} in the side file", printable(name), to_string(type), to_string(found)));
    return tensor;
  }

  // The outputs are defined once the inputs are read, so that a node cannot read itself.
  void read_node() {
    struct Output {
      std::string name;
      std::optional<TensorType> type;
    };
    std::vector<Output> outputs;
    if (!lexer_.is("=")) {
      do {
        const size_t offset = lexer_.peek().offset;
        Output output;
        if (!lexer_.accept("_")) output.name = new_name();
        const bool twice =
            !output.name.empty() && std::any_of(outputs.begin(), outputs.end(), [&](const auto& o) { return o.name == output.name; });
        if (twice) lexer_.fail_at(offset, fmt::format("`%{}` is defined twice", printable(output.name)));
        if (!output.name.empty() && lexer_.accept(":")) output.type = read_type(lexer_);
        outputs.push_back(std::move(output));
      } while (lexer_.accept(","));
    }
    lexer_.expect("=");
    Node node = read_call();
    for (Output& output : outputs) {
      node.outputs.push_back(output.name.empty() ? kNone : graph_.add_value(std::move(output.name)));
      if (node.outputs.back() != kNone) graph_.value(node.outputs.back()).type = std::move(output.type);
    }
    graph_.add_node(std::move(node));
  }

  Node read_call() {
    Node node;
    const size_t offset = lexer_.peek().offset;
    const std::string word = lexer_.word("an operator");
    read_list(lexer_, "(", ")", [&] { node.inputs.push_back(lexer_.accept("_") ? kNone : use()); });
    node.op = read_op(word, offset);
    if (lexer_.peek().kind == Token::kString) node.name = lexer_.next().text;
    if (!node.name.empty()) node.source = {node.name};
    if (lexer_.accept("from")) {
      node.source.clear();
      read_list(lexer_, "[", "]", [&] { node.source.push_back(lexer_.string("a quoted node name")); });
    }
    return node;
  }

  Op read_op(const std::string& word, size_t offset) {
    const size_t dot = word.rfind('.');
    const std::string domain = dot == word.npos ? "" : word.substr(0, dot), name = dot == word.npos ? word : word.substr(dot + 1);
    const OpDef* def = find_op_(name, domain);
    if (def == nullptr) lexer_.fail_at(offset, fmt::format("there is no operator `{}`", word));
    std::vector<Attribute> given;
    if (lexer_.is("{"))
      read_list(lexer_, "{", "}", [&] {
        Attribute attribute = read_attribute(lexer_);
        const bool twice = std::any_of(given.begin(), given.end(), [&](const auto& a) { return a.name == attribute.name; });
        if (twice) lexer_.fail_at(attribute.offset, fmt::format("`{}` is given twice", attribute.name));
        given.push_back(std::move(attribute));
      });
    AttributeReader reader(lexer_, given);
    std::shared_ptr<void> attributes = def->make();
    def->visit(attributes.get(), graph_.opset, reader);
    for (const Attribute& attribute : given) {
      if (attribute.used) continue;
      const std::string meant = nearest(attribute.name, reader.names);
      lexer_.fail_at(attribute.offset, fmt::format("{} has no attribute `{}`", word, attribute.name),
                     meant.empty() ? "" : "write " + meant);
    }
    return Op(*def, std::move(attributes));
  }

  Lexer lexer_;
  FindOp find_op_;
  const SideTensors& side_;
  Graph graph_;
};

}  // namespace

Graph parse_graph(std::string_view text, FindOp find_op, const SideTensors& side) { return Parser(text, find_op, side).run(); }

}  // namespace octet
