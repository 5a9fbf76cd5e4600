// Where.
#include "ops/where.h"

#include <algorithm>

#include "ops/elements.h"
#include "ops/rules.h"

namespace octet {
namespace {

// Element by element on known vectors; vectors of one element pair with all.
std::optional<Shape> choose(InferContext& context) {
  const auto mask = ops::known_ints(context.input(0));
  const auto a = ops::known_elements(context.input(1)), b = ops::known_elements(context.input(2));
  if (!mask || !a || !b) return std::nullopt;
  const bool empty = mask->empty() || a->empty() || b->empty();
  const size_t count = empty ? 0 : std::max({mask->size(), a->size(), b->size()});
  Shape out;
  for (size_t i = 0; i < count; ++i) {
    const auto pick = [i](const auto& from) -> const auto& { return from[from.size() == 1 ? 0 : i]; };
    for (const size_t size : {mask->size(), a->size(), b->size()})
      if (size != 1 && size != count) return std::nullopt;
    out.push_back(pick(*mask) != 0 ? pick(*a) : pick(*b));
  }
  return out;
}

template <class Word>
void select(HostTensor& out, const HostTensor& condition, const HostTensor& a, const HostTensor& b) {
  const ops::IntReader mask(condition);
  std::byte* target = out.mutable_data();
  const std::byte *x = a.bytes().data(), *y = b.bytes().data();
  const auto strides = [&](const HostTensor& tensor) { return ops::broadcast_strides(tensor.dims(), out.dims()); };
  ops::walk(out.dims(), std::array{strides(condition), strides(a), strides(b)}, [&](int64_t i, const std::array<int64_t, 3>& at) {
    const std::byte* from =
        mask[at[0]] != 0 ? x + at[1] * static_cast<int64_t>(sizeof(Word)) : y + at[2] * static_cast<int64_t>(sizeof(Word));
    std::memcpy(target + i * static_cast<int64_t>(sizeof(Word)), from, sizeof(Word));
  });
}

}  // namespace

std::vector<Inferred> Where::infer(InferContext& context) const {
  ops::check_dtype(context, "T1", 0, context.in(0).type.dtype == DType::boolean, "a boolean", DType::boolean);
  context.in(1), context.in(2);
  if (ops::same_dtype(context, "T2", 1, 3)) ops::no_codes(context, "T3", 1);
  Shape shape = ops::broadcast_inputs(context, "S1", 0, 3);
  return {ops::output(context, context.in(1).type.dtype, std::move(shape), choose(context))};
}

std::vector<HostTensor> Where::reference(std::span<const HostTensor* const> in) const {
  auto out = ops::make_outputs(*this, in);
  switch (size_of(out[0].dtype())) {
    case 1:
      select<uint8_t>(out[0], *in[0], *in[1], *in[2]);
      break;
    case 2:
      select<uint16_t>(out[0], *in[0], *in[1], *in[2]);
      break;
    case 4:
      select<uint32_t>(out[0], *in[0], *in[1], *in[2]);
      break;
    default:
      select<uint64_t>(out[0], *in[0], *in[1], *in[2]);
      break;
  }
  return out;
}

}  // namespace octet
