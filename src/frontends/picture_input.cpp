#include "frontends/picture_input.h"

#include "ops/arithmetic.h"
#include "ops/cast.h"
#include "ops/transpose.h"

namespace octet {
namespace {

constexpr int kByteValues = 256;

// The node that makes byte * scale: none, or one with this constant. preprocess.h multiplies in f64 and rounds to f32 once; a quotient
// or a product in f32 is the same number only for some scales (1/255 as a quotient), which the 256 bytes tell.
struct Scaling {
  Op op;
  float constant = 1;
};
Scaling scaling(double scale) {
  if (scale == 1) return {};
  const auto divisor = static_cast<float>(1 / scale), factor = static_cast<float>(scale);
  bool divides = true, multiplies = true;
  for (int byte = 0; byte < kByteValues; ++byte) {
    const auto wanted = static_cast<float>(byte * scale);
    divides &= static_cast<float>(byte) / divisor == wanted;
    multiplies &= static_cast<float>(byte) * factor == wanted;
  }
  if (divides) return {make_op(Div{}), divisor};
  if (multiplies) return {make_op(Mul{}), factor};
  throw Error(Code::kUnsupported, fmt::format("no f32 product gives the values of rescale_factor {} to the bit", scale),
              "export with --input float");
}

ValueId channel_constant(Graph& g, const std::string& name, const std::array<double, 3>& values) {
  const std::vector<float> rounded(values.begin(), values.end());
  return g.add_constant(name, from_f32(DType::f32, {3}, rounded));
}

void check_size(const ClipPreprocess& p, const ClipConfig& config) {
  if (p.width == config.image_size && p.height == config.image_size && config.channels == 3) return;
  throw Error(Code::kInvalid,
              fmt::format("the preprocessing makes pictures of 3 x {} x {}, the tower takes {} x {} x {}", p.height, p.width,
                          config.channels, config.image_size, config.image_size),
              "make crop_size in preprocessor_config.json image_size in config.json");
}

}  // namespace

ValueId uint8_picture(TowerBuilder& b, const ClipPreprocess& preprocess, const std::string& name, const ClipConfig& config) {
  check_size(preprocess, config);
  Graph& g = b.graph;
  const int64_t size = config.image_size;
  const ValueId bytes = g.add_input(name, {DType::u8, {Dim(1, "batch"), size, size, config.channels}});
  const auto add = [&](Op op, std::vector<ValueId> in, const std::string& what) {
    return g.add(std::move(op), std::move(in), "picture." + what, "picture." + what);
  };
  ValueId x = add(make_op(Cast{.to = DType::f32}), {bytes}, "f32");
  const Scaling to_unit = scaling(preprocess.scale);
  if (to_unit.op) x = add(to_unit.op, {x, g.add_constant("picture.scale", from_f32(DType::f32, {}, {{to_unit.constant}}))}, "scaled");
  if (preprocess.mean != std::array<double, 3>{})
    x = add(make_op(Sub{}), {x, channel_constant(g, "picture.mean", preprocess.mean)}, "centred");
  if (preprocess.std != std::array<double, 3>{1, 1, 1})
    x = add(make_op(Div{}), {x, channel_constant(g, "picture.std", preprocess.std)}, "normalised");
  if (b.dtype() != DType::f32) x = add(make_op(Cast{.to = b.dtype()}), {x}, std::string(name_of(b.dtype())));
  return add(make_op(Transpose{.perm = {0, 3, 1, 2}}), {x}, "values");
}

}  // namespace octet
