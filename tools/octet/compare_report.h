// What octet compare found, as text and as JSON, and which gates it fails.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "compare.h"

namespace octet::cli {

struct Gates {
  std::optional<double> min_cosine;     // least mean cosine over rows of every tensor or step compared
  std::optional<double> max_code_diff;  // per cent of a tensor's FP8 codes
};
struct ForcedStep {
  std::string name, kernel;
  DType out;
  oracle::StepVerdict verdict;
};
struct ForcedEngine {
  std::string path;
  std::vector<ForcedStep> steps;
};
struct CompareReport {
  std::string a, b, device, inputs;  // inputs: random | given
  int64_t batch = 0;
  std::vector<LayerDifference> outputs;
  LayerReport layers;
  std::vector<ForcedEngine> forced;
  double bad_cosine = 0.99;    // below it a layer is bad
  std::string forced_by = {};  // the runtime on whose tensors each step of `layers` ran; "": on what came before it
};

// One line for each gate that fails. Elements that no rounding explains fail always.
std::vector<std::string> failures_of(const CompareReport& report, const Gates& gates);
std::string to_text(const CompareReport& report);
// {schema "octet.compare/1", a, b, device, inputs, batch, passed, failures [], outputs [], layers [], first_bad_layer, only_a [],
// only_b [], forced [{engine, steps []}], forced_by}. sqnr_db is null where nothing differs; code_differences and max_places are null where
// A and B are not both e4m3 of one scale; saturated_a_percent and saturated_b_percent are null where a side is not e4m3. A forced step's
// max_abs, cosine and sqnr_db are against the exact value before its rounding.
std::string to_json(const CompareReport& report, const std::vector<std::string>& failures);

}  // namespace octet::cli
