// How far two models that should compute the same lie apart: tensor by tensor, layer by layer, and step by step against the
// exact reference. What `octet compare` prints. Next: oracle/compare.h (the verdict on one step).
#pragma once
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "numeric/host_tensor.h"
#include "oracle/compare.h"
#include "runtime/backend.h"

namespace octet {

// A tensor seen as rows of `cols` values. scale: one per column for e4m3 codes, or empty (ones).
struct TensorBytes {
  DType dtype = DType::f32;
  std::span<const std::byte> bytes;
  std::span<const double> scale = {};
};

// b against a, scales applied. A NaN equals a NaN; any other pair with a value that is not finite counts in `not_finite` and
// nowhere else but `differing`.
struct Difference {
  int64_t elements = 0, differing = 0;  // differing: values that are not equal
  int64_t not_finite = 0;
  bool codes = false;      // both are e4m3 with the same scales: `differing` counts codes
  int64_t max_places = 0;  // of two e4m3 of one scale: the most values of the type from a code to the other
  double max_abs = 0;
  double mean_cosine = 1, min_cosine = 1;  // over the rows; two zero rows agree, one alone has 0
  double sqnr_db = 0;                      // 10 log10(sum a^2 / sum (a - b)^2); infinite for equality
  double differing_percent() const { return elements == 0 ? 0 : 100.0 * static_cast<double>(differing) / static_cast<double>(elements); }
};
// Both of the same number of elements, a multiple of cols. dtypes: f32, f16, bf16, e4m3.
Difference compare_tensors(const TensorBytes& a, const TensorBytes& b, int64_t cols);

// Runs the plan step by step and shows what each one wrote, at once: later steps reuse the memory. `context` must be prepared with
// PrepareOptions::chunk = -1. inputs: parallel to plan.inputs.
using StepVisitor = std::function<void(size_t step, std::span<const std::byte> output)>;
void walk_steps(const plan::Plan& plan, Context& context, std::span<const void* const> inputs, int64_t batch, const StepVisitor& visit);

// By column of a step's output: the scale of its codes; the factor that was folded in before rounding, as an FP8 engine scales q and k
// where a float engine of the same graph scales the scores.
std::vector<double> scales_of(const plan::Plan& plan, const plan::Step& step);
std::vector<double> factors_of(const plan::Plan& plan, const plan::Step& step);

struct LayerDifference {
  std::string name;  // of the buffer: the ONNX tensor
  std::string step_a, step_b;
  DType a, b;
  Difference difference;
  // Codes +-448 in per cent of all, where a side is e4m3; else not set.
  std::optional<double> saturated_a = std::nullopt, saturated_b = std::nullopt;
  double lost_db = 0;  // SQNR that B's step lost: its output's below the lowest of what it reads, counted from kGoodSqnr
};
// What FP8 rounding alone leaves of a tensor is about 31 dB; differences between equal and this are none to look for.
inline constexpr double kGoodSqnr = 35;
struct LayerReport {
  std::vector<LayerDifference> layers;      // buffers of equal name and dims, in the order of b's steps
  std::vector<std::string> only_a, only_b;  // names of those without a partner
};
// The first layer, in B's order, that is bad: with values that are not finite, of a mean cosine below `min_cosine`, or that lost at least
// kBadLoss dB at once, which no rounding to FP8 does. nullptr if none is.
inline constexpr double kBadLoss = 12;
const LayerDifference* first_bad(const LayerReport& report, double min_cosine = 0.99);
// One engine, prepared with PrepareOptions::chunk = -1, and its inputs.
struct Side {
  const plan::Plan& plan;
  Context& context;
  std::span<const void* const> inputs;
};
// Keeps all of a's buffers that b has too in memory. Where an FP8 engine folds the attention's scale into q and k, it is taken
// out again.
LayerReport compare_layers(const Side& a, const Side& b, int64_t batch);
// The same with another runtime's tensors in the place of a: f32 or f16, by name. Where b merges several projections into one buffer, whose
// sizes differ, there is nothing to compare.
LayerReport compare_with(const std::map<std::string, HostTensor>& a, const std::string& runtime, const Side& b, int64_t batch);
// Each step of b on the other runtime's tensors, stored as b stores them; `layers` holds what both make of them. Nothing adds up from step
// to step but within an unfused attention, whose scores and weights no runtime keeps in b's layout. a: in the types of the model.
LayerReport compare_forced(const std::map<std::string, HostTensor>& a, const std::string& runtime, const Side& b, int64_t batch);
// The model's tensors that a buffer holds, from its name: one, or those of merged projections side by side.
std::vector<std::string> model_tensors(const std::string& buffer);
// `x.1` is what the graph calls x once a Q/DQ pair has moved in front of the layout change that gives it: its codes are those of x.
std::string before_moving(const std::string& name);

}  // namespace octet
