// Graph -> text. The grammar is in ir/text.h.
#include <algorithm>

#include "base/hash.h"
#include "ir/text.h"
#include "ir/text_literals.h"

namespace octet {
namespace {

std::string spell(const Dim& dim) {
  if (dim.is_static()) return std::to_string(dim.value);
  std::string symbol = text::symbol_or_quote(dim.symbol);
  return dim.value == 1 ? symbol : fmt::format("{}*{}", dim.value, symbol);
}

// open item,item,item close
std::string list(char open, size_t count, char close, std::string_view separator, auto&& spell_item) {
  std::string out(1, open);
  for (size_t i = 0; i < count; ++i) {
    if (i > 0) out += separator;
    out += spell_item(i);
  }
  out += close;
  return out;
}

std::string spell(const TensorType& type) {
  std::string out(name_of(type.dtype));
  return out += list('[', type.shape.size(), ']', ",", [&](size_t i) { return spell(type.shape[i]); });
}

std::string elements(const HostTensor& tensor, const PrintOptions& options) {
  if (!options.aside && options.max_elements >= 0 && tensor.count() > options.max_elements) return "xxh3:" + hex(xxh3_128(tensor.bytes()));
  return list('{', static_cast<size_t>(tensor.count()), '}', ",",
              [&](size_t i) { return text::print_element(tensor, static_cast<int64_t>(i)); });
}

// Every attribute with its text; `empty` ones are worth printing only where they differ from the default.
class AttributePrinter final : public FieldVisitor {
 public:
  struct Item {
    std::string name, text;
    bool empty;
  };
  explicit AttributePrinter(const PrintOptions& options) : options_(options) {}
  std::vector<Item> items;
  void field(std::string_view name, int64_t& value) override { put(name, std::to_string(value)); }
  void field(std::string_view name, float& value) override { put(name, text::print_float(value)); }
  void field(std::string_view name, std::string& value) override { put(name, text::quote(value), value.empty()); }
  void field(std::string_view name, std::vector<int64_t>& value) override {
    put(name, list('[', value.size(), ']', ",", [&](size_t i) { return std::to_string(value[i]); }), value.empty());
  }
  void field(std::string_view name, std::vector<float>& value) override {
    put(name, list('[', value.size(), ']', ",", [&](size_t i) { return text::print_float(value[i]); }), value.empty());
  }
  void field(std::string_view name, DType& value) override { put(name, std::string(name_of(value))); }
  void field(std::string_view name, HostTensor& value) override {
    put(name, spell(TensorType{value.dtype(), to_shape(value.dims())}) + elements(value, options_), value.count() == 0);
  }

 private:
  void put(std::string_view name, std::string text, bool empty = false) { items.push_back({std::string(name), std::move(text), empty}); }
  const PrintOptions& options_;
};

class Printer {
 public:
  Printer(const Graph& graph, const PrintOptions& options) : graph_(graph), options_(options) {}

  std::string run() {
    out_ = fmt::format("graph {} opset {}\n", text::word_or_quote(graph_.name), graph_.opset);
    if (!graph_.producer.empty()) out_ += "producer " + text::quote(graph_.producer) + "\n";
    for (const auto& [key, value] : graph_.metadata) out_ += "meta " + text::quote(key) + " = " + text::quote(value) + "\n";
    for (const ValueId id : graph_.inputs) out_ += "input " + typed(id) + "\n";
    constants();
    for (size_t i = 0; i < graph_.node_count(); ++i)
      if (const Node& node = graph_.node(static_cast<NodeId>(i)); !node.dead) print_node(node);
    for (const ValueId id : graph_.outputs) out_ += "output " + name(id) + "\n";
    return std::move(out_);
  }

 private:
  std::string name(ValueId id) const { return id == kNone ? "_" : fmt::format("%{}", text::word_or_quote(graph_.value(id).name)); }
  std::string typed(ValueId id) const {
    return id == kNone || !graph_.value(id).type ? name(id) : name(id) + ": " + spell(*graph_.value(id).type);
  }

  bool aside(ValueId id, const HostTensor& tensor) const {
    return options_.aside && options_.max_elements >= 0 && tensor.count() > options_.max_elements &&
           options_.aside(graph_.value(id).name, tensor);
  }

  void constants() {
    std::vector<bool> used(graph_.value_count());
    const auto mark = [&](ValueId id) {
      if (id != kNone) used.at(static_cast<size_t>(id)) = true;
    };
    for (size_t i = 0; i < graph_.node_count(); ++i)
      if (const Node& node = graph_.node(static_cast<NodeId>(i)); !node.dead) std::for_each(node.inputs.begin(), node.inputs.end(), mark);
    std::for_each(graph_.outputs.begin(), graph_.outputs.end(), mark);
    for (size_t i = 0; i < used.size(); ++i) {
      const auto id = static_cast<ValueId>(i);
      const HostTensor* tensor = graph_.constant_of(id);
      if (!used[i] || tensor == nullptr) continue;
      out_ += "const " + name(id) + ": " + spell(TensorType{tensor->dtype(), to_shape(tensor->dims())}) + " = " +
              (aside(id, *tensor) ? "side" : elements(*tensor, options_)) + "\n";
    }
  }

  void print_node(const Node& node) {
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      if (i > 0) out_ += ", ";
      out_ += typed(node.outputs[i]);
    }
    const OpDef& def = node.op.def();
    out_ += fmt::format("{}= {}{}{}", node.outputs.empty() ? "" : " ", def.domain, def.domain.empty() ? "" : ".", def.name);
    out_ += list('(', node.inputs.size(), ')', ", ", [&](size_t i) { return name(node.inputs[i]); });
    if (const std::string attributes = print_attributes(node.op, graph_.opset, options_); !attributes.empty())
      out_ += " {" + attributes + "}";
    if (!node.name.empty()) out_ += " " + text::quote(node.name);
    const bool own = node.name.empty() ? node.source.empty() : node.source == std::vector{node.name};
    if (!own) out_ += " from " + list('[', node.source.size(), ']', ",", [&](size_t i) { return text::quote(node.source[i]); });
    out_ += "\n";
  }

  const Graph& graph_;
  const PrintOptions& options_;
  std::string out_;
};

}  // namespace

std::string print_attributes(const Op& op, int opset, const PrintOptions& options) {
  AttributePrinter printed(options), defaults(options);
  op.def().visit(op.def().copy(op.attributes()).get(), opset, printed);
  if (std::any_of(printed.items.begin(), printed.items.end(), [](const auto& item) { return item.empty; }))
    op.def().visit(op.def().make().get(), opset, defaults);
  const auto is_default = [&](const AttributePrinter::Item& item) {
    return std::any_of(defaults.items.begin(), defaults.items.end(),
                       [&](const auto& d) { return d.name == item.name && d.text == item.text; });
  };
  std::string out;
  for (const auto& item : printed.items)
    if (!item.empty || !is_default(item)) out += fmt::format("{}{}={}", out.empty() ? "" : ", ", item.name, item.text);
  return out;
}

std::string print(const Graph& graph, const PrintOptions& options) { return Printer(graph, options).run(); }

}  // namespace octet
