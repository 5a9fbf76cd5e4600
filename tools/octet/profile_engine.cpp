#include "profile_engine.h"

#include <algorithm>
#include <cstring>
#include <ctime>

#include "base/error.h"
#include "base/text.h"
#include "base/thread_pool.h"
#include "base/version.h"
#include "cpu/isa.h"
#include "cpu/machine.h"
#include "cpu/roofs.h"
#include "cuda/device.h"
#include "cuda/machine.h"
#include "shapes.h"
#include "site_stats.h"

extern char** environ;

namespace octet::cli {
namespace {

std::optional<cuda::Gpu> gpu_of(const std::string& device) {
  if (!device.starts_with("cuda:")) return std::nullopt;
  for (const cuda::Gpu& gpu : cuda::list_gpus())
    if (cuda::describe(gpu) == device) return gpu;
  return std::nullopt;
}

std::string utc_now() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  gmtime_r(&now, &utc);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
  return text;
}

profile::Environment environment_of(const Engine& engine, const std::optional<cuda::Gpu>& gpu, const ProfileOptions& options) {
  profile::Environment e;
  e.octet = build_version();
  e.date = utc_now();
  e.command = options.command;
  e.cpu = cpu::cpu_model();
  e.isa = cpu::isa_names(cpu::usable_isa());
  e.device = engine.device;
  e.threads = options.device.threads > 0 ? options.device.threads : usable_cores();
  if (gpu) e.driver = cuda::toolchain().driver + ", NVRTC " + cuda::toolchain().nvrtc, e.gpu_memory = human_bytes(gpu->memory);
  for (char** variable = environ; *variable != nullptr; ++variable)
    if (std::string_view(*variable).starts_with("OCTET_")) e.variables.push_back(printable(*variable));
  std::ranges::sort(e.variables);
  return e;
}

// Roofs of the machine, measured once a process.
std::vector<profile::Roof> roofs_of(const std::optional<cuda::Gpu>& gpu, int threads) {
  std::vector<profile::Roof> roofs;
  if (gpu) {
    for (const cuda::Roof& roof : cuda::roofs_of(*gpu)) roofs.push_back({roof.name, roof.rate, roof.name == "memory", roof.origin});
    return roofs;
  }
  static const std::vector<cpu::Roof> measured = cpu::measure_roofs(threads);
  for (const cpu::Roof& roof : measured)
    roofs.push_back({roof.name, roof.rate, roof.name == "memory", fmt::format("measured on {} threads", threads)});
  return roofs;
}

// "A e4m3", "B f16 unfused": the type of most products, so that a reader knows which engine is which.
std::string label_of(const profile::Engine& engine, size_t number) {
  const auto most = std::ranges::max_element(engine.by_precision, {}, &profile::Share::flops);
  const bool unfused = std::ranges::any_of(engine.steps, [](const auto& step) { return step.category == "unfused attention"; });
  std::string label(1, static_cast<char>('A' + number));
  if (most != engine.by_precision.end()) label += " " + most->name;
  return unfused ? label + " unfused" : label;
}

Tensors tensors_of(const ProfileOptions& o, const plan::Plan& plan) {
  if (o.inputs.empty()) return random_tensors(plan, o.shapes.empty() ? o.batch : batch_of(plan, parse_shapes(o.shapes)));
  NamedTensors given = read_inputs(o.inputs), mine;
  for (const plan::Binding& input : plan.inputs)
    if (const auto found = given.find(input.name); found != given.end()) mine.insert(given.extract(found));
  no_leftover(given);
  return take_all(mine, plan);
}

std::vector<std::vector<std::byte>> outputs_of(const Bound& bound, const Tensors& tensors) {
  std::vector<std::vector<std::byte>> all;
  for (size_t i = 0; i < bound.out.size(); ++i) {
    const auto* bytes = static_cast<const std::byte*>(bound.out[i]);
    all.emplace_back(bytes, bytes + tensors.outputs[i].bytes().size());
  }
  return all;
}

void add_stats(const std::string& file, const ProfileOptions& o, int64_t batch, const Tensors& tensors, profile::Engine& data) {
  DeviceOptions device = o.device;
  device.chunk = -1;  // whole batches: steps are looked into one by one
  const Engine engine = open_engine(file, device);
  const auto context = engine.executable->new_context();
  context->reserve(batch);
  const auto inputs = tensors.input_pointers();
  data.sites = site_stats(*engine.plan, *context, inputs, batch, o.stats_rows, o.device.threads);
}

}  // namespace

void check_outputs(const Engine& engine, Context& context, int64_t batch, const Bound& bound, const Tensors& tensors) {
  context.run(batch, bound.in, bound.out, nullptr);
  const auto plain = outputs_of(bound, tensors);
  const StepHook hook = [](const StepEvent&) {};
  context.run(batch, bound.in, bound.out, &hook);
  if (outputs_of(bound, tensors) != plain)
    throw Error(Code::kInternal, "the outputs of " + engine.plan->name + " under the profiler are not those without it");
}

ProfiledEngine profile_engine(const std::string& file, size_t number, const ProfileOptions& o) {
  const Engine engine = with_context([&] { return "opening " + file; }, [&] { return open_engine(file, o.device); });
  Tensors tensors = with_context([&] { return "binding the inputs of " + file; }, [&] { return tensors_of(o, *engine.plan); });
  const int64_t batch = tensors.inputs.at(0).dims()[0];
  const auto context = engine.executable->new_context();
  context->reserve(batch);
  const Bound bound = bind(engine, tensors);
  check_outputs(engine, *context, batch, bound, tensors);
  const auto run = [&] {
    context->run(batch, bound.in, bound.out, nullptr);
    return context->last_times();
  };
  const profile::Timing timing = profile::measure(run, o.timing);
  ProfiledEngine out{profile::describe(*engine.plan, *engine.executable, batch),
                     profile::time_steps(*context, engine.plan->steps.size(), batch, bound.in, bound.out, o.steps)};
  profile::Engine& data = out.data;
  const auto gpu = gpu_of(engine.device);
  data.file = file;
  std::error_code unknown;
  data.summary.engine_bytes = is_plan(file) ? std::filesystem::file_size(file, unknown) : 0;
  data.environment = environment_of(engine, gpu, o);
  data.roofs = roofs_of(gpu, data.environment.threads);
  profile::add_times(data, out.times, timing);
  profile::add_rooflines(data, [&](const profile::Step& step) -> std::pair<std::string, double> {
    if (gpu) return {cuda::roof_of(step.kernel, step.precision), 1};
    const cpu::RoofOf roof = cpu::roof_of(step.kernel);
    return {std::string(roof.name), roof.products};
  });
  profile::add_tables(data);
  data.label = label_of(data, number);
  if (o.inputs.empty()) data.notes.push_back("inputs are random: times do not depend on them, saturation and clip rates do");
  if (o.stats) add_stats(file, o, batch, tensors, data);
  return out;
}

}  // namespace octet::cli
