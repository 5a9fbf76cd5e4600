#include "passes/dynamic_batch.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <set>

#include "base/error.h"
#include "base/text.h"
#include "ops/arithmetic.h"
#include "ops/cast.h"
#include "ops/concat.h"
#include "ops/constant.h"
#include "ops/expand.h"
#include "ops/gather.h"
#include "ops/reshape.h"
#include "ops/shape.h"
#include "passes/pipeline.h"

namespace octet::passes {
namespace {

constexpr const char* kBatch = "batch";

HostTensor vector_of(const std::vector<int64_t>& values) {
  return HostTensor::of<int64_t>(DType::i64, {static_cast<int64_t>(values.size())}, values);
}

class Rebatch {
 public:
  Rebatch(Graph& graph, std::vector<std::string>& changes) : graph_(graph), changes_(changes) {}
  // Sets the inputs' first axis; false if they were dynamic already.
  bool start();
  void run();

 private:
  const Shape& shape(ValueId id) const { return graph_.value(id).type->shape; }
  // The first axis that depends on the batch, or -1.
  static int64_t batch_axis(const Shape& shape);
  bool depends(ValueId id) const { return id != kNone && batch_axis(shape(id)) >= 0; }
  std::vector<int64_t> old_dims(ValueId id) const;
  bool mend(NodeId id);
  bool mend_reshape(NodeId id);
  bool mend_expand(NodeId id);
  bool mend_concat(NodeId id);
  bool mend_gather(NodeId id);
  void check_kept(NodeId id) const;
  ValueId batch_size();
  ValueId row_numbers(DType dtype);
  ValueId repeated(ValueId value, NodeId reader);
  [[noreturn]] void refuse(NodeId id, std::string_view why) const;

  Graph& graph_;
  std::vector<std::string>& changes_;
  std::vector<std::optional<TensorType>> old_;  // types at the baked size
  int64_t baked_ = 0;
  ValueId batch_size_ = kNone;  // i64[1]
};

void Rebatch::refuse(NodeId id, std::string_view why) const {
  throw Error(Code::kUnsupported, fmt::format("{} {}: its batch of {} cannot be made dynamic", graph_.label(id), why, baked_),
              "export the model with a dynamic batch");
}

int64_t Rebatch::batch_axis(const Shape& shape) {
  const auto at = std::ranges::find_if(shape, [](const Dim& d) { return d.symbol == kBatch; });
  return at == shape.end() ? -1 : at - shape.begin();
}

std::vector<int64_t> Rebatch::old_dims(ValueId id) const {
  const auto i = static_cast<size_t>(id);
  if (i >= old_.size() || !old_[i] || !all_static(old_[i]->shape))
    fail(Code::kUnsupported, "`{}` has no fixed shape at the baked batch", printable(graph_.value(id).name));
  return static_dims(old_[i]->shape);
}

bool Rebatch::start() {
  for (const ValueId id : graph_.inputs) {
    const Shape& dims = shape(id);
    if (dims.empty() || !dims[0].is_static()) continue;
    if (baked_ != 0 && dims[0].value != baked_)
      fail(Code::kInvalid, "input `{}` has a batch of {}, another input {}", printable(graph_.value(id).name), dims[0].value, baked_);
    baked_ = dims[0].value;
  }
  if (baked_ == 0) return false;
  for (size_t i = 0; i < graph_.value_count(); ++i) old_.push_back(graph_.value(static_cast<ValueId>(i)).type);
  for (const ValueId id : graph_.inputs) {
    Value& input = graph_.value(id);
    if (input.type->shape.empty() || !input.type->shape[0].is_static()) continue;
    input.type->shape[0] = Dim(1, kBatch);
    changes_.push_back(fmt::format("input `{}`: batch {} -> dynamic, {}", printable(input.name), baked_, to_string(*input.type)));
  }
  return true;
}

ValueId Rebatch::batch_size() {
  const auto input = std::ranges::find_if(graph_.inputs, [&](ValueId id) { return depends(id); });
  if (batch_size_ == kNone) batch_size_ = graph_.add(make_op(ShapeOp{0, 1}), {*input}, "batch_size", "batch_size");
  return batch_size_;
}

// [0, 1, ... batch)
ValueId Rebatch::row_numbers(DType dtype) {
  const auto scalar = [&](int64_t value) {
    HostTensor tensor(dtype, {});
    tensor.set_int(0, value);
    return graph_.add_constant("row_number", std::move(tensor));
  };
  const ValueId zero = graph_.add_constant("batch_axis", HostTensor(DType::i64, {}));
  const ValueId size = graph_.add(make_op(Gather{}), {batch_size(), zero}, "batch_count");
  const ValueId count = dtype == DType::i64 ? size : graph_.add(make_op(Cast{dtype}), {size}, "batch_count");
  return graph_.add(make_op(RangeOp{}), {scalar(0), count, scalar(1)}, "row_numbers");
}

// The shape constant holds the batch: -1 takes its place. It lies where as many elements go before it as in the input.
bool Rebatch::mend_reshape(NodeId id) {
  const Node& node = graph_.node(id);
  const int64_t axis = batch_axis(shape(node.inputs[0]));
  if (axis < 0 || !graph_.constant_of(node.inputs[1])) return false;
  const std::vector<int64_t> from = old_dims(node.inputs[0]);
  std::vector<int64_t> to = old_dims(node.outputs[0]);
  int64_t before = 1, passed = 1;
  for (int64_t i = 0; i < axis; ++i) before *= from[static_cast<size_t>(i)];
  size_t at = 0;
  while (at < to.size() && passed != before) passed *= to[at++];
  if (at == to.size() || to[at] % baked_ != 0) refuse(id, "reshapes across the batch");
  Shape wanted = to_shape(to);
  wanted[at] = Dim(to[at] / baked_, kBatch);
  if (shape(node.outputs[0]) == wanted) return false;
  to[at] = -1;
  graph_.node(id).inputs[1] = graph_.add_constant(graph_.value(node.inputs[1]).name + ".batched", vector_of(to));
  graph_.node(id).op = make_op(Reshape{});
  changes_.push_back(fmt::format("{}: shape [{}]", graph_.label(id), fmt::join(to, ",")));
  return true;
}

// An Expand of something that has the batch already must not name its size.
bool Rebatch::mend_expand(NodeId id) {
  const Node& node = graph_.node(id);
  const HostTensor* target = graph_.constant_of(node.inputs[1]);
  const int64_t axis = batch_axis(shape(node.inputs[0]));
  if (axis < 0 || !target || baked_ == 1) return false;
  const int64_t at = axis + target->count() - static_cast<int64_t>(shape(node.inputs[0]).size());
  if (at < 0 || target->at_int(at) != baked_) return false;
  std::vector<int64_t> to;
  for (int64_t i = 0; i < target->count(); ++i) to.push_back(i == at ? 1 : target->at_int(i));
  graph_.node(id).inputs[1] = graph_.add_constant(graph_.value(node.inputs[1]).name + ".batched", vector_of(to));
  changes_.push_back(fmt::format("{}: shape [{}]", graph_.label(id), fmt::join(to, ",")));
  return true;
}

// `value` [baked, ...] once an item: Expand of its one row. What is no copy of one row is refused.
ValueId Rebatch::repeated(ValueId value, NodeId reader) {
  std::vector<int64_t> dims = old_dims(value);
  if (const HostTensor* constant = baked_ > 1 ? graph_.constant_of(value) : nullptr) {
    const auto bytes = constant->bytes();
    const size_t row = bytes.size() / static_cast<size_t>(baked_);
    for (size_t i = row; i < bytes.size(); i += row)
      if (std::memcmp(bytes.data(), bytes.data() + i, row) != 0) refuse(reader, "reads a constant whose items differ");
    std::vector<int64_t> one = dims;
    one[0] = 1;
    HostTensor first(constant->dtype(), one);
    std::memcpy(first.mutable_data(), bytes.data(), row);
    value = graph_.add_constant(graph_.value(value).name + ".item", std::move(first));
  } else if (const Node* expand = graph_.producer_of(value); expand && expand->as<Expand>()) {
    value = expand->inputs[0];
  } else if (baked_ > 1) {
    refuse(reader, "reads a tensor that has a row an item and does not depend on the input");
  }
  dims.erase(dims.begin());
  const ValueId rest = graph_.add_constant("item_dims", vector_of(dims));
  const ValueId target = graph_.add(make_op(Concat{0}), {batch_size(), rest}, "batched_dims");
  return graph_.add(make_op(Expand{}), {value, target}, graph_.value(value).name + ".batched", graph_.value(value).name + ".expand");
}

// What stands beside the batch in a Concat along another axis: a class token, or the row numbers that a GatherND wants.
bool Rebatch::mend_concat(NodeId id) {
  const std::vector<ValueId> inputs = graph_.node(id).inputs;
  const int64_t rank = static_cast<int64_t>(shape(inputs[0]).size());
  const int64_t axis = graph_.node(id).as<Concat>()->axis;
  const auto with = std::ranges::find_if(inputs, [&](ValueId v) { return depends(v); });
  if (with == inputs.end() || batch_axis(shape(*with)) != 0 || shape(*with)[0].value != 1) return false;
  if (axis == 0 || axis == -rank) refuse(id, "puts other rows beside the items");
  bool changed = false;
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (depends(inputs[i])) continue;
    const auto readers = graph_.consumers()[static_cast<size_t>(graph_.node(id).outputs[0])];
    const bool numbers = std::ranges::any_of(
        readers, [&](NodeId r) { return graph_.node(r).as<GatherND>() && graph_.node(r).as<GatherND>()->batch_dims == 0; });
    ValueId other;
    if (numbers) {
      const HostTensor* rows = graph_.constant_of(inputs[i]);
      for (int64_t row = 0; rows && row < rows->count(); ++row)
        if (rows->at_int(row) != row) rows = nullptr;
      if (!rows || rows->count() != baked_) refuse(id, "gives a GatherND rows that are not those of the items");
      const ValueId column = graph_.add_constant("column", vector_of({-1, 1}));
      other = graph_.add(make_op(Reshape{}), {row_numbers(rows->dtype()), column}, "row_column");
    } else {
      other = repeated(inputs[i], id);
    }
    graph_.node(id).inputs[i] = other;
    changes_.push_back(fmt::format("{}: `{}` repeated for every item", graph_.label(id), printable(graph_.value(inputs[i]).name)));
    changed = true;
  }
  return changed;
}

// Rows of flattened items [f * batch, ..] are picked by item * f + row; the item's part is a constant of the baked size.
bool Rebatch::mend_gather(NodeId id) {
  const Node& node = graph_.node(id);
  const Shape& data = shape(node.inputs[0]);
  const int64_t axis = node.as<Gather>()->axis;
  if (batch_axis(data) != 0 || (axis != 0 && axis != -static_cast<int64_t>(data.size()))) return false;
  const Node* sum = graph_.producer_of(node.inputs[1]);
  while (sum && (sum->as<Cast>() || sum->as<Reshape>())) sum = graph_.producer_of(sum->inputs[0]);
  if (!sum || !sum->as<Add>()) refuse(id, "picks rows by their place among all items");
  const NodeId add = graph_.value(sum->outputs[0]).producer;
  for (size_t side = 0; side < 2; ++side) {
    const HostTensor* offsets = graph_.constant_of(sum->inputs[side]);
    if (!offsets) continue;
    for (int64_t i = 0; i < offsets->count(); ++i)
      if (offsets->count() != baked_ || offsets->at_int(i) != i * data[0].value)
        refuse(id, "picks rows at offsets that are not the items'");
    const DType dtype = offsets->dtype();
    HostTensor stride(dtype, {});
    stride.set_int(0, data[0].value);
    const ValueId factor = graph_.add_constant("item_rows", std::move(stride));
    graph_.node(add).inputs[side] = graph_.add(make_op(Mul{}), {row_numbers(dtype), factor}, "item_offsets");
    changes_.push_back(fmt::format("{}: item offsets computed from the batch", graph_.label(add)));
    return true;
  }
  return false;  // computed: mended before, or dynamic already
}

// An operator that takes in the batch and gives nothing of it has picked or summed items.
void Rebatch::check_kept(NodeId id) const {
  const Node& node = graph_.node(id);
  if (node.as<ShapeOp>() || node.as<SizeOp>() || node.inputs.empty() || !depends(node.inputs[0])) return;
  if (std::ranges::none_of(node.outputs, [&](ValueId v) { return v != kNone && depends(v); }))
    refuse(id, "takes the items together or picks one");
}

bool Rebatch::mend(NodeId id) {
  const Node& node = graph_.node(id);
  if (std::ranges::any_of(node.outputs, [&](ValueId v) { return v >= static_cast<ValueId>(old_.size()); })) return false;  // added here
  const bool changed = node.as<Reshape>()  ? mend_reshape(id)
                       : node.as<Expand>() ? mend_expand(id)
                       : node.as<Concat>() ? mend_concat(id)
                       : node.as<Gather>() ? mend_gather(id)
                                           : false;
  if (!changed) check_kept(id);
  return changed;
}

void Rebatch::run() {
  for (NodeId id = 0;;) {
    infer_types(graph_);  // what lies behind a node not yet mended may disagree
    const auto count = static_cast<NodeId>(graph_.node_count());
    while (id < count && !mend(id)) ++id;
    if (id >= count) return;
    graph_.sort();
    id = 0;
  }
}

}  // namespace

std::vector<std::string> make_batch_dynamic(Graph& graph) {
  std::vector<std::string> changes;
  graph.sort();
  check_types(graph);
  Rebatch rebatch(graph, changes);
  if (!rebatch.start()) return changes;
  // A shape that exporters compute from constants is mended like one that is a constant.
  const int folded = evaluate_constants(graph);
  graph.remove_dead();
  if (folded > 0) changes.push_back(fmt::format("{} node{} of constants evaluated", folded, folded == 1 ? "" : "s"));
  with_context([] { return "making the batch dynamic"; },
               [&] {
                 rebatch.run();
                 graph.remove_dead();
                 graph.sort();
                 check_types(graph);
               });
  for (const ValueId id : graph.outputs) {
    const Shape& shape = graph.value(id).type->shape;
    if (shape.empty() || shape[0] != Dim(1, kBatch))
      fail(Code::kUnsupported, "output `{}` is {}: it has no row an item", printable(graph.value(id).name), to_string(shape));
  }
  return changes;
}

}  // namespace octet::passes
