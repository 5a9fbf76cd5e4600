// valid, reasons (of an invalid one), creator, format_version, sections [{name, offset, bytes}], name, processor_sha256, inputs,
// outputs, device, steps [{name, kind, problem (batch 1), kernel, refused [], notes [], in_dtypes [], out_dtype, source []}],
// kernels {name: steps}, weights: Storage, resident_weight_bytes (packed for `device`), arena_bytes_per_item, buffers,
// source {nodes, in_steps, folded}. A step's source: names of the ONNX nodes that it covers.
#include "base/error.h"
#include "base/text.h"
#include "inspect.h"
#include "numeric/host_tensor.h"
#include "plan/io.h"
#include "plan/layout.h"
#include "plan/uses.h"

namespace octet {
namespace {

Json tensors_of(const plan::Plan& plan, const std::vector<plan::Binding>& bindings) {
  Json out = Json::array();
  for (const plan::Binding& binding : bindings) {
    Json dims = Json::array({"batch"});
    for (const int64_t dim : plan.buffers[binding.buffer].dims) dims.push_back(dim);
    out.push_back({{"name", binding.name}, {"dtype", name_of(plan.buffers[binding.buffer].dtype)}, {"dims", dims}});
  }
  return out;
}

Json sections_of(std::span<const std::byte> file) {
  plan::Layout layout;
  Json out = Json::array();
  if (!plan::check_layout(file, layout).empty()) return out;
  for (size_t i = 0; i < plan::kSectionCount; ++i) {
    const auto id = static_cast<plan::SectionId>(i + 1);
    out.push_back({{"name", plan::name_of(id)}, {"offset", layout[id].offset}, {"bytes", layout[id].size}});
  }
  return out;
}

Json step_of(const plan::Plan& plan, size_t i, const StepChoice& choice) {
  const plan::Step& step = plan.steps[i];
  Json in = Json::array(), source = Json::array();
  for (const plan::Id id : plan::reads_of(step.op)) in.push_back(name_of(plan.buffers[id].dtype));
  if (i < plan.source.steps.size())
    for (const uint32_t node : plan.source.steps[i]) source.push_back(plan.source.nodes[node].name);
  return {{"name", step.name},         {"kind", plan::kind_of(step.op)},
          {"problem", choice.problem}, {"kernel", choice.kernel},
          {"refused", choice.refused}, {"notes", step.notes},
          {"in_dtypes", in},           {"out_dtype", name_of(plan.buffers[plan::out_of(step.op)].dtype)},
          {"source", source}};
}

void describe_plan(const plan::Plan& plan, const Executable& executable, Json& out) {
  out["name"] = plan.name;
  out["processor_sha256"] = plan.processor_sha256;
  out["inputs"] = tensors_of(plan, plan.inputs);
  out["outputs"] = tensors_of(plan, plan.outputs);
  out["steps"] = Json::array();
  std::map<std::string, int64_t> kernels;
  size_t in_steps = 0;
  for (size_t i = 0; i < plan.steps.size(); ++i) {
    const StepChoice& choice = executable.choices()[i];
    out["steps"].push_back(step_of(plan, i, choice));
    ++kernels[choice.kernel];
    if (i < plan.source.steps.size()) in_steps += plan.source.steps[i].size();
  }
  StorageCount weights;
  for (const plan::Weight& weight : plan.weights) weights.add(weight.dtype, element_count(weight.dims));
  out["kernels"] = kernels;
  out["weights"] = weights.to_json();
  out["resident_weight_bytes"] = executable.weight_bytes();
  out["arena_bytes_per_item"] = plan.arena_bytes_per_item;
  out["buffers"] = plan.buffers.size();
  out["source"] = {{"nodes", plan.source.nodes.size()}, {"in_steps", in_steps}, {"folded", plan.source.folded.size()}};
}

// The header's reasons, each a line; else what reading the whole file says.
std::vector<std::string> reasons_against(const std::filesystem::path& file, const Error& error) {
  const plan::Validity validity = plan::engine_validity(file);
  if (!validity.reasons.empty()) return validity.reasons;
  const std::string prefix = file.string() + " is not a usable engine: ";  // plan::read's, which names the file
  return {error.message().starts_with(prefix) ? error.message().substr(prefix.size()) : error.message()};
}

}  // namespace

Json inspect_engine(const std::filesystem::path& file, const Backend& backend, const PrepareOptions& options) {
  const auto mapped = MappedFile::open(file);
  Json out{{"schema", "octet.inspect/1"}, {"kind", "engine"}, {"file", file.string()}, {"bytes", mapped->bytes().size()}};
  try {
    const auto plan = std::make_shared<const plan::Plan>(plan::read(mapped));
    out["valid"] = true, out["reasons"] = Json::array();
    out["creator"] = plan->creator;
    out["format_version"] = plan::kFormatVersion;
    out["sections"] = sections_of(mapped->bytes());
    out["device"] = backend.name();
    describe_plan(*plan, *backend.prepare(plan, options), out);
  } catch (const Error& error) {
    if (error.code() != Code::kInvalid) throw;
    return {{"schema", out["schema"]}, {"kind", "engine"}, {"file", out["file"]},
            {"bytes", out["bytes"]},   {"valid", false},   {"reasons", reasons_against(file, error)}};
  }
  return out;
}

}  // namespace octet
