// octet exec: build, save, load and time an engine. The flags, the report and the files are trtexec's. Next: exec.h.
#include "exec.h"

#include "base/error.h"
#include "base/version.h"
#include "console.h"
#include "explain.h"
#include "subcommand.h"

namespace octet::cli {
namespace exec {
namespace {

// trtexec's --device=N.
void resolve_number(DeviceOptions& options) {
  if (options.device.empty() || options.device.find_first_not_of("0123456789") != std::string::npos) return;
  const std::string number = options.device;
  options.device = "cuda:" + number;
  try {
    info(fmt::format("--device={} is {}", number, make_backend(options)->name()));
  } catch (const Error& error) {
    options.device = "cpu";
    info(fmt::format("--device={}: {}; the engine runs on the CPU", number, error.message()));
  }
}

void run_engine_of(Options& o) {
  print_notes(o);
  if (o.flags.has("--getPlanVersionOnly")) return print_plan_version(o);
  resolve_number(o.device);
  if (o.flags.has("--timeDeserialize")) return time_loading(o);
  const Prepared prepared = prepare(o);
  const Engine& engine = prepared.engine;
  const bool runs = !o.flags.has("--skipInference");
  const int64_t batch = choose_batch(o, prepared);
  check_formats(o, *engine.plan);
  if (o.verbose || o.flags.has("--explain")) print_out(explain_engine(engine));
  report_profiles(o, *engine.plan);
  require_realised(o, engine, batch);
  if (!runs) return report_layers(o, engine, o.gives_shapes() ? batch : 0);
  const Measured measured = measure(o, engine, batch);
  report_layers(o, engine, batch);
  report(o, engine, batch, measured);
  require_accuracy(o, engine, batch);
}

int run(Options& o) {
  const std::string tag = fmt::format("octet.exec [octet v{}] # {}", build_version(), command_line());
  print_out("&&&& RUNNING " + tag + "\n");
  try {
    run_engine_of(o);
  } catch (...) {
    print_out("&&&& FAILED " + tag + "\n");
    throw;
  }
  print_out("&&&& PASSED " + tag + "\n");
  return 0;
}

}  // namespace
}  // namespace exec

Run add_exec(CLI::App& app) {
  auto device = std::make_shared<DeviceOptions>();
  const auto given = exec::declare_flags(app, *device);
  auto table = std::make_shared<bool>(false);
  app.add_flag("--print-flags", *table)->group("");  // for the guide
  return [device, given, table] {
    if (*table) return print_out(exec::flag_table()), 0;
    exec::Options options = exec::read_options(given(), *device);
    return exec::run(options);
  };
}

}  // namespace octet::cli
