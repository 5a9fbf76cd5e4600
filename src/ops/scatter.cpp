// ScatterND.
#include "ops/scatter.h"

#include <algorithm>

#include "ops/elements.h"
#include "ops/rules.h"

namespace octet {
namespace {

bool known_reduction(const std::string& name, DType dtype) {
  if (name == "none") return true;
  return dtype != DType::boolean && (name == "add" || name == "mul" || name == "max" || name == "min");
}

template <class T>
T combined(const std::string& reduction, T old, T update) {
  if (reduction == "add") return old + update;
  if (reduction == "mul") return old * update;
  if (reduction == "max") return std::max(old, update);
  return std::min(old, update);
}

// The first constant coordinate that lies outside its axis of `data`.
bool in_range(const Operand& indices, const Shape& data, int64_t length) {
  if (indices.constant == nullptr || !is_integer(indices.type.dtype)) return true;
  const ops::IntReader read(*indices.constant);
  for (int64_t i = 0; i < indices.constant->count(); ++i) {
    const Dim& size = data[static_cast<size_t>(i % length)];
    if (size.is_static() && (read[i] < -size.value || read[i] >= size.value)) return false;
  }
  return true;
}

}  // namespace

std::vector<Inferred> ScatterND::infer(InferContext& context) const {
  const Operand &data = context.in(0), &indices = context.in(1), &updates = context.in(2);
  const Shape &to = data.type.shape, &at = indices.type.shape;
  ops::i64_input(context, "T1", 1);
  if (updates.type.dtype != data.type.dtype)
    context.violation("T2",
                      fmt::format("{} is {}, {} is {}", context.input_name(0), data.type.dtype, context.input_name(2), updates.type.dtype),
                      "insert a Cast");
  ops::no_codes(context, "T3", 0);
  ops::check(context, known_reduction(reduction, data.type.dtype), "A1", fmt::format("reduction `{}` of {}", reduction, data.type.dtype));
  const bool tuples = !at.empty() && at.back().is_static() && at.back().value >= 1 && at.back().value <= static_cast<int64_t>(to.size());
  if (!ops::check(context, tuples, "S1", fmt::format("indices {} do not fit data {}", to_string(at), to_string(to))))
    return {ops::like_input(context)};
  const int64_t length = at.back().value;
  Shape picked(at.begin(), at.end() - 1);
  picked.insert(picked.end(), to.begin() + length, to.end());
  bool fits = picked.size() == updates.type.shape.size();
  for (size_t i = 0; fits && i < picked.size(); ++i) {
    const Dim& given = updates.type.shape[i];
    fits = picked[i] == given || !picked[i].is_static() || !given.is_static();
  }
  ops::check(context, fits, "S2", fmt::format("updates {} are not {}", to_string(updates.type.shape), to_string(picked)));
  ops::check(context, in_range(indices, to, length), "S3", fmt::format("an index lies outside {}", to_string(to)));
  return {ops::like_input(context)};
}

std::vector<HostTensor> ScatterND::reference(std::span<const HostTensor* const> in) const {
  auto out = ops::make_outputs(*this, in);
  HostTensor& y = out[0];
  const auto data = in[0]->bytes();
  std::copy(data.begin(), data.end(), y.mutable_data());
  const auto& dims = in[0]->dims();
  const auto length = static_cast<size_t>(in[1]->dims().back());
  const int64_t row = ops::product_of(dims, length, dims.size()), tuples = in[1]->count() / static_cast<int64_t>(length);
  const ops::IntReader indices(*in[1]);
  for (int64_t i = 0; i < tuples && row > 0; ++i) {
    int64_t place = 0;
    for (size_t k = 0; k < length; ++k) {
      const int64_t index = indices[i * static_cast<int64_t>(length) + static_cast<int64_t>(k)];
      if (index < -dims[k] || index >= dims[k]) fail(Code::kInvalid, "ScatterND: index {} of an axis of {}", index, dims[k]);
      place = place * dims[k] + index + (index < 0 ? dims[k] : 0);
    }
    for (int64_t j = 0; j < row; ++j) {
      const int64_t to = place * row + j, from = i * row + j;
      if (is_float(y.dtype())) y.set(to, reduction == "none" ? in[2]->at(from) : combined(reduction, y.at(to), in[2]->at(from)));
      else y.set_int(to, reduction == "none" ? in[2]->at_int(from) : combined(reduction, y.at_int(to), in[2]->at_int(from)));
    }
  }
  return out;
}

}  // namespace octet
