// Cast and CastLike.
#include "ops/cast.h"

#include "ops/dims.h"
#include "ops/elements.h"
#include "ops/rules.h"

namespace octet {
namespace {

bool keeps_value(DType dtype) { return is_integer(dtype) || dtype == DType::boolean; }

std::vector<Inferred> infer_cast(InferContext& context, DType to) {
  const Operand& x = context.in(0);
  ops::check(context, to != DType::e8m0, "T1", "the target type is e8m0, which holds scales alone", "store such scales as e8m0 constants");
  std::optional<Shape> elements;
  if (to == DType::boolean)
    elements = ops::map_elements(x, [](const Dim& d) -> std::optional<Dim> {
      const auto zero = ops::equals(d, Dim(0));
      return zero ? std::optional(Dim(!*zero)) : std::nullopt;
    });
  else if (keeps_value(to)) elements = ops::known_elements(&x);
  return {ops::output(context, to, x.type.shape, std::move(elements))};
}

void convert(HostTensor& out, const HostTensor& in, bool saturate) {
  const int64_t count = out.count();
  if (is_float8(out.dtype()) && !saturate) {
    const ops::Reader x(in);
    const auto codes = out.mut<uint8_t>();
    for (int64_t i = 0; i < count; ++i) codes[static_cast<size_t>(i)] = ops::encode_f8(out.dtype(), x[i], false);
  } else if (keeps_value(out.dtype()) && keeps_value(in.dtype())) {
    const ops::IntReader x(in);
    const ops::IntWriter write(out);
    for (int64_t i = 0; i < count; ++i) write(i, x[i]);
  } else if (out.dtype() == DType::boolean) {
    const ops::Reader x(in);
    const ops::IntWriter write(out);
    for (int64_t i = 0; i < count; ++i) write(i, x[i] != 0);
  } else if (keeps_value(out.dtype()) || keeps_value(in.dtype())) {
    for (int64_t i = 0; i < count; ++i) out.set_int(i, in.at_int(i));  // a float truncates and saturates; an i64 rounds once
  } else {
    const ops::Reader x(in);
    const ops::Writer write(out);
    for (int64_t i = 0; i < count; ++i) write(i, x[i]);
  }
}

}  // namespace

std::vector<Inferred> Cast::infer(InferContext& context) const { return infer_cast(context, to); }

std::vector<HostTensor> Cast::reference(std::span<const HostTensor* const> in) const {
  auto out = ops::make_outputs(*this, in);
  if (in[0]->dtype() == to) return {*in[0]};
  convert(out[0], *in[0], saturate != 0);
  return out;
}

std::vector<Inferred> CastLike::infer(InferContext& context) const { return infer_cast(context, context.in(1).type.dtype); }

std::vector<HostTensor> CastLike::reference(std::span<const HostTensor* const> in) const {
  auto out = ops::make_outputs(*this, in);
  if (in[0]->dtype() == out[0].dtype()) return {*in[0]};
  convert(out[0], *in[0], saturate != 0);
  return out;
}

}  // namespace octet
