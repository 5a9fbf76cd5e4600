// octet exec in four steps, a file each: what the command line asks for (exec_options), an engine built or loaded (exec_build), its
// runs (exec_run), and what is said and written of them (exec_report). Gates that may fail the command are in exec_gates.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine_io.h"
#include "exec_flags.h"
#include "profile/accuracy.h"
#include "profile/layer_info.h"
#include "profile/layers.h"
#include "profile/timing.h"
#include "shapes.h"

namespace octet::cli::exec {

// trtexec's line "[11/23/2026-22:49:15] [I] TEXT" on stdout. Levels: I, W, V.
void line(char level, std::string_view text);
inline void info(std::string_view text) { line('I', text); }
inline void warn(std::string_view text) { line('W', text); }

using NamedFiles = std::vector<std::pair<std::string, std::string>>;
// Of --minShapes, --optShapes, --maxShapes; absent ones are empty.
struct ShapeProfile {
  Shapes min, opt, max;
};
// Inputs and the outputs that they should give.
struct RefPair {
  NamedFiles inputs, outputs;
};
struct AccuracyGate {
  profile::Loss loss = profile::Loss::kOutside;
  std::string name = "l0";
  profile::Tolerance tolerance;
  double threshold = 0;
  std::vector<RefPair> pairs;  // empty: no gate
};

struct Options {
  explicit Options(GivenFlags given) : flags(std::move(given)) {}
  GivenFlags flags;  // what needs no more than its text is read from here
  DeviceOptions device;
  std::string onnx, load, save;
  Shapes shapes;
  std::vector<ShapeProfile> profiles;
  size_t use_profile = 0;
  NamedFiles inputs;
  profile::TimingOptions timing;
  int streams = 1;
  bool transfers = true, verbose = false;
  int compat = 10;
  profile::Verbosity verbosity = profile::Verbosity::kLayerNamesOnly;
  AccuracyGate accuracy;
  bool gives_shapes() const { return !shapes.empty() || !profiles.empty(); }
};
// Error{kUsage} for a refused flag, a value that means nothing, and flags that contradict each other.
Options read_options(const GivenFlags& flags, const DeviceOptions& device);
void print_notes(const Options& options);  // a line for each flag that is accepted without a meaning here

struct Prepared {
  Engine engine;
  std::optional<int64_t> baked_batch;  // of a static file
};
Prepared prepare(const Options& options);                    // --onnx built and saved, or --loadEngine
void print_plan_version(const Options& options);             // --getPlanVersionOnly
void time_loading(const Options& options);                   // --timeDeserialize
int64_t choose_batch(const Options&, const Prepared&);       // by --shapes, the profile's --optShapes, the file, or 1
void check_formats(const Options&, const plan::Plan& plan);  // --inputIOFormats, --outputIOFormats

struct Measured {
  profile::Timing timing;
  Tensors tensors;  // inputs, and the outputs of the last run
  profile::LayerProfile profile;
  std::vector<std::string> memory;  // of the device, a line a part
};
Measured measure(const Options& options, const Engine& engine, int64_t batch);
// The named tensors from files, the others random; says which. Sizes and token ids are checked: Error{kInvalid}.
Tensors make_tensors(const Options& options, const plan::Plan& plan, int64_t batch, const NamedFiles& files, bool say);

void report(const Options& options, const Engine& engine, int64_t batch, const Measured& measured);
void report_layers(const Options& options, const Engine& engine, int64_t batch);  // --dumpLayerInfo, --exportLayerInfo
void report_profiles(const Options& options, const plan::Plan& plan);             // --dumpOptimizationProfile

// Error{kGate} with the list of what fell short. Checked before anything runs.
void require_realised(const Options& options, const Engine& engine, int64_t batch);  // --require-fp8, --require-fused-attention
void require_accuracy(const Options& options, const Engine& engine, int64_t batch);  // --loadRefOutputs

}  // namespace octet::cli::exec
