// Observers on a running engine: a tower in a plain float type is run step by step, and every tensor that an FP8 engine would
// quantize is observed as the step writes it. Where the sites lie is read off the plan. Next: quantize.h chooses ranges from them.
#pragma once
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "plan/plan.h"
#include "quant/observer.h"
#include "runtime/backend.h"

namespace octet {

// What frontends/tower_builder.h calls an attention's second product; its module is the name before that, else all of it.
inline constexpr std::string_view kProductSuffix = ".pv";
// q, k, v and output of an attention, after its module, as ModelOpt calls them.
inline constexpr const char* kAttentionQuantizers[] = {".q_bmm_quantizer", ".k_bmm_quantizer", ".v_bmm_quantizer",
                                                       ".bmm2_output_quantizer"};

// Columns of one step's output, and the quantizers of the checkpoint that round it ("L.self_attn.q_proj.input_quantizer", ...).
struct CalibrationSite {
  plan::Id buffer = plan::kNoId;
  int64_t column = 0, columns = 0;
  float factor = 1;  // that the step multiplied in (the head scale); taken out before observing: ranges are of the unscaled tensor
  std::vector<std::string> quantizers;
  Observer observer;
};

class Calibration {
 public:
  // A plan of a model in float types. Quantizers are called after the nodes of its source. It must outlive this.
  explicit Calibration(const plan::Plan& plan);
  // One batch. `context` must be prepared with PrepareOptions::chunk = -1; inputs: parallel to plan.inputs. Not observed,
  // since they cannot change the result: in a causal tower the rows after the pooled one (the first end-of-text token); where all
  // attentions share a mask of keys, the rows that it hides.
  void run(Context& context, std::span<const void* const> inputs, int64_t batch);
  const std::vector<CalibrationSite>& sites() const { return sites_; }

 private:
  void add(plan::Id buffer, int64_t column, int64_t columns, float factor, std::string quantizer);
  void observe(plan::Id buffer, std::span<const std::byte> output, const std::vector<bool>& matter);
  // Of the [batch, tokens] rows; empty: all do.
  std::vector<bool> rows_that_matter(std::span<const void* const> inputs, int64_t batch) const;

  const plan::Plan& plan_;
  std::vector<CalibrationSite> sites_;
};

}  // namespace octet
