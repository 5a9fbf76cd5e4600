// From flags to what they mean together.
#include <charconv>
#include <set>

#include "base/error.h"
#include "base/text.h"
#include "exec.h"

namespace octet::cli::exec {
namespace {

constexpr size_t kMaxProfiles = 64;  // the range of --profile

void refuse(const GivenFlags& flags) {
  for (const auto& given : flags.all())
    if (given.flag->fate == FlagFate::kRefused)
      throw Error(Code::kUsage, fmt::format("{} is not taken: {}", given.flag->name(), given.flag->text), std::string(given.flag->remedy));
}

void read_files(Options& o) {
  const GivenFlags& flags = o.flags;
  o.onnx = flags.text("--onnx"), o.load = flags.text("--loadEngine"), o.save = flags.text("--saveEngine");
  if (o.onnx.empty() == o.load.empty())
    throw Error(Code::kUsage, "give one of --onnx=FILE and --loadEngine=FILE", "octet exec --onnx=model.onnx --saveEngine=model.plan");
  if (!o.load.empty() && !o.save.empty()) throw Error(Code::kUsage, "--saveEngine goes with --onnx", "copy the engine file instead");
  for (const char* name : {"--getPlanVersionOnly", "--timeDeserialize"})
    if (flags.has(name) && o.load.empty())
      throw Error(Code::kUsage, fmt::format("{} goes with --loadEngine", name), "build and save first");
}

std::vector<double> percentiles_of(const std::string& text) {
  std::vector<double> out;
  for (const auto& p : split(text, ',')) {
    double value = -1;
    const auto [end, error] = std::from_chars(p.data(), p.data() + p.size(), value);
    if (error != std::errc() || end != p.data() + p.size() || !(value >= 0 && value <= 100))
      throw Error(Code::kUsage, fmt::format("--percentile: `{}` is no percentage", printable(p)), "--percentile=90,95,99");
    out.push_back(value);
  }
  return out;
}

// Profiles and pairs are opened by --profile=N and --refPair=N; what follows belongs to them.
void read_ordered(Options& o) {
  size_t profile = 0;
  std::vector<int> pairs;
  const auto pair = [&]() -> RefPair& {
    if (pairs.empty()) pairs.push_back(0);
    o.accuracy.pairs.resize(pairs.size());
    return o.accuracy.pairs.back();
  };
  for (const auto& [flag, value] : o.flags.all()) {
    const std::string name(flag->name());
    if (name == "--profile") profile = std::stoul(value);
    if (name == "--refPair") pairs.push_back(std::stoi(value)), pair();
    if (name == "--loadInputs") (pairs.empty() ? o.inputs : pair().inputs) = parse_named(value, name, false);
    if (name == "--loadRefOutputs") pair().outputs = parse_named(value, name, false);
    if (name != "--minShapes" && name != "--optShapes" && name != "--maxShapes") continue;
    OCTET_CHECK(profile < kMaxProfiles, profile);
    if (o.profiles.size() <= profile) o.profiles.resize(profile + 1);
    ShapeProfile& shapes = o.profiles[profile];
    (name == "--minShapes" ? shapes.min : name == "--optShapes" ? shapes.opt : shapes.max) = parse_shapes(value, name);
  }
  if (std::set<int>(pairs.begin(), pairs.end()).size() != pairs.size()) throw Error(Code::kUsage, "--refPair gives a number twice");
}

// What is missing of a profile follows from the rest: of opt alone, all three are equal.
void complete_profiles(Options& o) {
  for (size_t i = 0; i < o.profiles.size(); ++i) {
    ShapeProfile& p = o.profiles[i];
    if (p.min.empty() && p.opt.empty() && p.max.empty())
      throw Error(Code::kUsage, fmt::format("profile {} has no shapes", i), "give --optShapes after --profile=" + std::to_string(i));
    if (p.opt.empty()) p.opt = p.max.empty() ? p.min : p.max;
    if (p.min.empty()) p.min = p.opt;
    if (p.max.empty()) p.max = p.opt;
  }
  o.use_profile = static_cast<size_t>(o.flags.integer("--useProfile", 0));
  if (o.use_profile > 0 && o.use_profile >= o.profiles.size())
    throw Error(Code::kUsage, fmt::format("--useProfile={}: the command line has {} profiles", o.use_profile, o.profiles.size()));
}

void read_accuracy(Options& o) {
  AccuracyGate& gate = o.accuracy;
  gate.name = o.flags.text("--accuracyAlgorithm", "l0");
  gate.loss = *profile::loss_of(gate.name);
  gate.tolerance = {o.flags.number("--atol", 1e-5), o.flags.number("--rtol", 1e-5)};
  gate.threshold = o.flags.number("--accuracyThreshold", 0);
  const bool given = o.flags.has("--loadRefOutputs"), limit = o.flags.has("--accuracyThreshold");
  if (given != limit)
    throw Error(Code::kUsage, given ? "--loadRefOutputs needs --accuracyThreshold" : "--accuracyThreshold needs --loadRefOutputs",
                "--loadInputs=in:in.bin --loadRefOutputs=out:out.bin --accuracyAlgorithm=cos --accuracyThreshold=0.01");
  if (given && o.flags.has("--skipInference")) throw Error(Code::kUsage, "--loadRefOutputs needs inference", "leave --skipInference out");
  if (!given) return gate.pairs.clear();
  for (RefPair& pair : gate.pairs) {
    if (pair.inputs.empty()) pair.inputs = o.inputs;
    if (pair.outputs.empty()) throw Error(Code::kUsage, "a --refPair has no --loadRefOutputs");
  }
}

void read_inference(Options& o) {
  const GivenFlags& flags = o.flags;
  o.timing.iterations = std::max(1, flags.integer("--iterations", o.timing.iterations));
  o.timing.duration_s = flags.number("--duration", o.timing.duration_s);
  o.timing.warm_up_ms = flags.number("--warmUp", o.timing.warm_up_ms);
  o.timing.idle_ms = flags.number("--idleTime", 0);
  o.timing.percentiles = percentiles_of(flags.text("--percentile", "90,95,99"));
  o.streams = flags.integer("--infStreams", 1);
  o.verbose = flags.has("--verbose");
  o.compat = flags.text("--compat", "10") == "11" ? 11 : 10;
  o.transfers = o.compat == 11 ? flags.has("--includeDataTransfers") : !flags.has("--noDataTransfers");
  const std::string verbosity = flags.text("--profilingVerbosity", "layer_names_only");
  if (verbosity == "detailed") o.verbosity = profile::Verbosity::kDetailed;
  if (verbosity == "none") o.verbosity = profile::Verbosity::kNone;
}

// "workspace:4096M,tacticSharedMem:0.25": sizes in MiB without a suffix.
void check_pools(const std::string& text) {
  static const std::vector<std::string> kPools{"workspace", "dlaSRAM", "dlaLocalDRAM", "dlaGlobalDRAM", "tacticSharedMem", "tacticDram"};
  for (const auto& [pool, size] : parse_named(text, "--memPoolSize", true)) {
    if (std::ranges::find(kPools, pool) == kPools.end())
      throw Error(Code::kUsage, fmt::format("--memPoolSize: there is no pool `{}`", printable(pool)), "pools: " + join(kPools, ", "));
    double value = -1;
    const auto [end, error] = std::from_chars(size.data(), size.data() + size.size(), value);
    const std::string_view suffix(end, size.data() + size.size());
    const bool known = suffix.empty() || (suffix.size() == 1 && std::string_view("BKMG").find(suffix[0]) != std::string_view::npos);
    if (error != std::errc() || !known || !(value >= 0))
      throw Error(Code::kUsage, fmt::format("--memPoolSize: `{}` is not a size", printable(size)), "--memPoolSize=workspace:4096M");
  }
}

}  // namespace

Options read_options(const GivenFlags& flags, const DeviceOptions& device) {
  refuse(flags);
  Options o(flags);
  o.device = device;
  o.device.tune = flags.integer("--builderOptimizationLevel", 3) > 0;
  read_files(o);
  read_inference(o);
  o.shapes = parse_shapes(flags.text("--shapes"));
  read_ordered(o);
  complete_profiles(o);
  read_accuracy(o);
  check_pools(flags.text("--memPoolSize"));
  return o;
}

void print_notes(const Options& o) {
  std::set<std::string_view> said;
  for (const auto& given : o.flags.all())
    if (given.flag->fate == FlagFate::kNoted && said.insert(given.flag->name()).second)
      info(fmt::format("{}: {}", given.flag->name(), given.flag->text));
}

}  // namespace octet::cli::exec
