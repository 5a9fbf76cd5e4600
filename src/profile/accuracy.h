// How far an output lies from a reference: trtexec 11's --accuracyAlgorithm. Every loss is >= 0, and 0 for equal tensors.
#pragma once
#include <optional>
#include <span>
#include <string_view>

namespace octet::profile {

enum class Loss {
  kOutside,     // "l0": share of the elements outside atol + rtol * |reference|
  kMeanAbs,     // "l1"
  kMeanSquare,  // "l2"
  kMaxAbs,      // "lInf"
  kCosine,      // "cos": 1 - cosine similarity of the whole tensors; 1 if one of them alone is zero
};
std::optional<Loss> loss_of(std::string_view name);

// Both of the same, positive size. An element that is not finite where the other differs makes every loss but kOutside infinite; a NaN
// equals a NaN, as an infinity its like.
struct Tolerance {
  double atol = 1e-5, rtol = 1e-5;
};
double loss(Loss kind, std::span<const float> actual, std::span<const float> reference, const Tolerance& tolerance = {});

}  // namespace octet::profile
