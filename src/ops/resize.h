// Resize, opset 11.
#pragma once
#include "ir/op.h"

namespace octet {

// x resampled along each axis. Inputs x, roi (ignored), scales (f32) and sizes (i64), one of the two last. Output position i of an axis
// lies at source position p: half_pixel (i + 0.5) / s - 0.5; pytorch_half_pixel the same, but 0 for a size of 1; asymmetric i / s;
// align_corners i * (in - 1) / (out - 1); s is the scale, or out / in where sizes are given. mode nearest takes the position that
// nearest_mode rounds to; linear weighs two positions, cubic four (Keys, coefficient cubic_coeff_a); beyond the border the border
// counts. Computed in f64, rounded once.
//   T1: x is a float.  T2: scales are f32, sizes i64.  S1: scales or sizes, not both, one an axis and known.  S2: an axis is not empty.
//   A1: the values above; antialias, exclude_outside, axes and another keep_aspect_ratio_policy than "stretch" are not supported.
struct Resize {
  static constexpr std::string_view kName = "Resize";
  int64_t antialias = 0;
  std::vector<int64_t> axes = {};
  std::string coordinate_transformation_mode = "half_pixel";
  float cubic_coeff_a = -0.75f;
  int64_t exclude_outside = 0;
  float extrapolation_value = 0;  // of tf_crop_and_resize, which is not supported
  std::string keep_aspect_ratio_policy = "stretch";
  std::string mode = "nearest";
  std::string nearest_mode = "round_prefer_floor";
  static void fields(auto& self, auto&& visit) {
    visit("antialias", self.antialias);
    visit("axes", self.axes);
    visit("coordinate_transformation_mode", self.coordinate_transformation_mode);
    visit("cubic_coeff_a", self.cubic_coeff_a);
    visit("exclude_outside", self.exclude_outside);
    visit("extrapolation_value", self.extrapolation_value);
    visit("keep_aspect_ratio_policy", self.keep_aspect_ratio_policy);
    visit("mode", self.mode);
    visit("nearest_mode", self.nearest_mode);
  }
  std::vector<Inferred> infer(InferContext& context) const;
  std::vector<HostTensor> reference(std::span<const HostTensor* const> in) const;
};

}  // namespace octet
