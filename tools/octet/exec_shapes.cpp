// Which batch runs, and whether the engine's tensors are what the command line says.
#include <algorithm>

#include "base/error.h"
#include "base/text.h"
#include "exec.h"

namespace octet::cli::exec {
namespace {

int64_t batch_for(const Options& o, const plan::Plan& plan, const Shapes& shapes, const std::string& flag) {
  std::vector<std::string> warnings;
  const std::vector<std::string> names = input_names(plan);
  const Shapes resolved = resolve(shapes, {names, flag, o.flags.has("--strictNames")}, warnings);
  for (const auto& warning : warnings) warn(warning);
  return batch_of(plan, resolved, flag);
}

struct Range {
  int64_t min, opt, max;
};
Range range_of(const Options& o, const plan::Plan& plan, size_t index) {
  const ShapeProfile& p = o.profiles[index];
  const Range range{batch_for(o, plan, p.min, "--minShapes"), batch_for(o, plan, p.opt, "--optShapes"),
                    batch_for(o, plan, p.max, "--maxShapes")};
  if (range.min > range.opt || range.opt > range.max)
    throw Error(Code::kUsage,
                fmt::format("profile {}: batches {}, {} and {} are not min <= opt <= max", index, range.min, range.opt, range.max));
  return range;
}

// trtexec's names of types, and ours.
DType type_named(const std::string& name, const std::string& flag) {
  constexpr std::pair<std::string_view, DType> kNames[] = {{"fp32", DType::f32},  {"fp16", DType::f16},    {"bf16", DType::bf16},
                                                           {"int32", DType::i32}, {"int64", DType::i64},   {"int8", DType::i8},
                                                           {"uint8", DType::u8},  {"bool", DType::boolean}};
  for (const auto& [known, dtype] : kNames)
    if (known == name) return dtype;
  throw Error(Code::kUsage, fmt::format("{}: there is no type `{}`", flag, printable(name)), "fp32 fp16 bf16 int32 int64 int8 uint8 bool");
}

void check_format(const plan::Plan& plan, const plan::Binding& binding, const std::string& spec, const std::string& flag) {
  const std::vector<std::string> parts = split(spec, ':');
  const DType wanted = type_named(parts[0], flag), has = plan.buffers[binding.buffer].dtype;
  const std::vector<std::string> layouts = parts.size() == 2 ? split(parts[1], '+') : std::vector<std::string>{"chw"};
  if (parts.size() > 2 || std::ranges::find(layouts, "chw") == layouts.end())
    throw Error(Code::kUsage, fmt::format("{}: `{}`: tensors are dense and row-major", flag, printable(spec)),
                fmt::format("{}:chw", parts[0]));
  if (wanted != has)
    throw Error(Code::kUsage,
                fmt::format("{}: `{}` is {}, not {}: the type is the file's", flag, printable(binding.name), name_of(has), parts[0]),
                "put a Cast into the file, or export it in the type you want");
}

void check_side(const plan::Plan& plan, const std::vector<plan::Binding>& bindings, const std::string& text, const std::string& flag) {
  if (text.empty()) return;
  const std::vector<std::string> specs = split(text, ',');
  if (specs.size() != 1 && specs.size() != bindings.size())
    throw Error(Code::kUsage, fmt::format("{} has {} formats for {} tensors", flag, specs.size(), bindings.size()),
                "give one for all, or one each");
  for (size_t i = 0; i < bindings.size(); ++i) check_format(plan, bindings[i], specs.size() == 1 ? specs[0] : specs[i], flag);
}

std::string dims_text(const plan::Plan& plan, const plan::Binding& binding, int64_t batch) {
  return fmt::format("{}", fmt::join(dims_at(plan, binding, batch), "x"));
}

}  // namespace

int64_t choose_batch(const Options& o, const Prepared& prepared) {
  const plan::Plan& plan = *prepared.engine.plan;
  std::vector<Range> ranges;
  for (size_t i = 0; i < o.profiles.size(); ++i) ranges.push_back(range_of(o, plan, i));
  const bool given = !o.shapes.empty();
  if (ranges.empty()) return given ? batch_for(o, plan, o.shapes, "--shapes") : prepared.baked_batch.value_or(1);
  const Range& range = ranges.at(o.use_profile);
  const int64_t batch = given ? batch_for(o, plan, o.shapes, "--shapes") : range.opt;
  if (batch < range.min || batch > range.max)
    throw Error(Code::kUsage,
                fmt::format("--shapes: a batch of {} is outside of profile {}, {} to {}", batch, o.use_profile, range.min, range.max),
                "widen --minShapes and --maxShapes: one engine runs every batch at full speed");
  return batch;
}

void check_formats(const Options& o, const plan::Plan& plan) {
  check_side(plan, plan.inputs, o.flags.text("--inputIOFormats"), "--inputIOFormats");
  check_side(plan, plan.outputs, o.flags.text("--outputIOFormats"), "--outputIOFormats");
}

void report_profiles(const Options& o, const plan::Plan& plan) {
  if (!o.flags.has("--dumpOptimizationProfile")) return;
  for (size_t i = 0; i < o.profiles.size(); ++i) {
    const Range range = range_of(o, plan, i);
    info(fmt::format("Optimization Profile {}:", i));
    for (const plan::Binding& input : plan.inputs)
      info(fmt::format("  {}: min {}, opt {}, max {}", printable(input.name), dims_text(plan, input, range.min),
                       dims_text(plan, input, range.opt), dims_text(plan, input, range.max)));
  }
  for (const plan::Binding& input : plan.inputs)
    info(fmt::format("The engine itself takes {} of {}, for every batch", printable(input.name), dims_text(plan, input, -1)));
}

}  // namespace octet::cli::exec
