// Gather, GatherND, GatherElements.
#include "ops/gather.h"

#include "ops/dims.h"
#include "ops/elements.h"
#include "ops/rules.h"

namespace octet {
namespace {

// A constant operand's first index outside [-size, size), if any. `stride`, `part`: one coordinate of index tuples.
std::optional<int64_t> outside(const Operand& indices, const Dim& size, int64_t stride = 1, int64_t part = 0) {
  if (indices.constant == nullptr || !size.is_static() || !is_integer(indices.type.dtype)) return std::nullopt;
  const ops::IntReader read(*indices.constant);
  for (int64_t i = part; i < indices.constant->count(); i += stride)
    if (read[i] < -size.value || read[i] >= size.value) return read[i];
  return std::nullopt;
}

bool check_indices(InferContext& context, std::string_view rule, const Dim& size, int64_t stride = 1, int64_t part = 0) {
  const auto bad = outside(context.in(1), size, stride, part);
  if (bad)
    context.violation(rule, fmt::format("the index {} in {} is outside [{}, {})", *bad, context.input_name(1), -size.value, size.value));
  return !bad;
}

std::optional<Shape> pick(const Operand& data, const Operand& indices) {
  const auto elements = ops::known_elements(&data);
  const auto at = ops::known_ints(&indices);
  if (!elements || !at) return std::nullopt;
  Shape out;
  for (const int64_t index : *at) {
    const auto i = ops::normalize_axis(index, static_cast<int64_t>(elements->size()));
    if (!i) return std::nullopt;
    out.push_back((*elements)[static_cast<size_t>(*i)]);
  }
  return out;
}

// Index i of `read` as an offset in [0, size).
int64_t index_at(const ops::IntReader& read, int64_t i, int64_t size) {
  const auto index = ops::normalize_axis(read[i], size);
  if (!index) fail(Code::kInvalid, "the index {} is outside [{}, {})", read[i], -size, size);
  return *index;
}

}  // namespace

std::vector<Inferred> Gather::infer(InferContext& context) const {
  const Operand &data = context.in(0), &indices = context.in(1);
  ops::index_input(context, "T1", 1);
  ops::no_codes(context, "T2", 0);
  const Shape& from = data.type.shape;
  const auto at = ops::checked_axis(context, "S1", axis, static_cast<int64_t>(from.size()));
  if (!at || !check_indices(context, "S2", from[static_cast<size_t>(*at)])) return {{data.type, {}}};
  Shape shape(from.begin(), from.begin() + *at);
  shape.insert(shape.end(), indices.type.shape.begin(), indices.type.shape.end());
  shape.insert(shape.end(), from.begin() + *at + 1, from.end());
  return {ops::output(context, data.type.dtype, std::move(shape), pick(data, indices))};
}

std::vector<HostTensor> Gather::reference(std::span<const HostTensor* const> in) const {
  auto out = ops::make_outputs(*this, in);
  if (out[0].count() == 0) return out;
  const auto [outer, size, inner] = ops::around(in[0]->dims(), *ops::normalize_axis(axis, in[0]->rank()));
  const ops::IntReader indices(*in[1]);
  const int64_t count = in[1]->count();
  const auto bytes = static_cast<int64_t>(size_of(in[0]->dtype())) * inner;
  std::byte* to = out[0].mutable_data();
  const std::byte* from = in[0]->bytes().data();
  for (int64_t i = 0; i < outer * count; ++i)
    std::memcpy(to + i * bytes, from + (i / count * size + index_at(indices, i % count, size)) * bytes, static_cast<size_t>(bytes));
  return out;
}

std::vector<Inferred> GatherND::infer(InferContext& context) const {
  const Operand &data = context.in(0), &indices = context.in(1);
  const Shape &from = data.type.shape, &at = indices.type.shape;
  ops::i64_input(context, "T1", 1);
  ops::no_codes(context, "T2", 0);
  const auto batch = static_cast<size_t>(batch_dims);
  bool agree = batch_dims >= 0 && batch < from.size() && batch < at.size();
  for (size_t i = 0; agree && i < batch; ++i) agree = from[i] == at[i] || (from[i].symbol != at[i].symbol);
  if (!ops::check(context, agree, "S1", fmt::format("batch_dims {} does not fit {} and {}", batch_dims, to_string(from), to_string(at))))
    return {{data.type, {}}};
  const Dim length = at.back();
  if (!ops::check(context, length.is_static() && length.value >= 1 && length.value <= static_cast<int64_t>(from.size() - batch), "S2",
                  fmt::format("index tuples of {} do not fit data {}", to_string(length), to_string(from))))
    return {{data.type, {}}};
  for (int64_t i = 0; i < length.value; ++i)
    if (!check_indices(context, "S3", from[batch + static_cast<size_t>(i)], length.value, i)) return {{data.type, {}}};
  Shape shape(at.begin(), at.end() - 1);
  shape.insert(shape.end(), from.begin() + static_cast<std::ptrdiff_t>(batch) + length.value, from.end());
  return {ops::output(context, data.type.dtype, std::move(shape))};
}

std::vector<HostTensor> GatherND::reference(std::span<const HostTensor* const> in) const {
  auto out = ops::make_outputs(*this, in);
  if (out[0].count() == 0) return out;
  const auto& dims = in[0]->dims();
  const auto batch = static_cast<size_t>(batch_dims), length = static_cast<size_t>(in[1]->dims().back());
  const int64_t tuples = in[1]->count() / static_cast<int64_t>(length);
  const int64_t tuples_a_batch = tuples / ops::product_of(dims, 0, batch);
  const ops::IntReader indices(*in[1]);
  const auto bytes = static_cast<int64_t>(size_of(in[0]->dtype())) * ops::product_of(dims, batch + length, dims.size());
  std::byte* to = out[0].mutable_data();
  for (int64_t i = 0; i < tuples; ++i) {
    int64_t offset = i / tuples_a_batch;
    for (size_t k = 0; k < length; ++k)
      offset = offset * dims[batch + k] + index_at(indices, i * static_cast<int64_t>(length) + static_cast<int64_t>(k), dims[batch + k]);
    std::memcpy(to + i * bytes, in[0]->bytes().data() + offset * bytes, static_cast<size_t>(bytes));
  }
  return out;
}

std::vector<Inferred> GatherElements::infer(InferContext& context) const {
  const Operand &data = context.in(0), &indices = context.in(1);
  const Shape &from = data.type.shape, &at = indices.type.shape;
  ops::index_input(context, "T1", 1);
  ops::no_codes(context, "T2", 0);
  const auto along = ops::checked_axis(context, "S1", axis, static_cast<int64_t>(from.size()));
  if (!along) return {{data.type, {}}};
  bool fits = from.size() == at.size();
  for (size_t i = 0; fits && i < from.size(); ++i)
    fits = static_cast<int64_t>(i) == *along || !from[i].is_static() || !at[i].is_static() || at[i].value <= from[i].value;
  if (!ops::check(context, fits, "S2", fmt::format("indices {} do not fit data {}", to_string(at), to_string(from))))
    return {{data.type, {}}};
  check_indices(context, "S3", from[static_cast<size_t>(*along)]);
  return {ops::output(context, data.type.dtype, at)};
}

std::vector<HostTensor> GatherElements::reference(std::span<const HostTensor* const> in) const {
  auto out = ops::make_outputs(*this, in);
  const auto& dims = in[0]->dims();
  const auto along = static_cast<size_t>(*ops::normalize_axis(axis, in[0]->rank()));
  const ops::IntReader indices(*in[1]);
  auto strides = ops::strides_of(dims);
  const int64_t step = strides[along];
  strides[along] = 0;
  const auto size = static_cast<int64_t>(size_of(in[0]->dtype()));
  std::byte* to = out[0].mutable_data();
  const std::byte* from = in[0]->bytes().data();
  ops::walk(out[0].dims(), std::array{strides}, [&](int64_t i, const std::array<int64_t, 1>& at) {
    const int64_t offset = at[0] + index_at(indices, i, dims[along]) * step;
    std::memcpy(to + i * size, from + offset * size, static_cast<size_t>(size));
  });
  return out;
}

}  // namespace octet
