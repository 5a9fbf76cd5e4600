// octet run: one inference of an ONNX file or an engine, .npy in and out; or of a plain reference instead.
#include <filesystem>

#include "base/text.h"
#include "console.h"
#include "engine_io.h"
#include "formats/npy.h"
#include "interp/interp.h"
#include "npy_inputs.h"
#include "oracle/backend.h"
#include "subcommand.h"

namespace octet::cli {
namespace {

struct Options {
  std::string model, output_dir = ".", reference;
  std::vector<std::string> inputs;
  DeviceOptions device;
};

// numpy has no bf16 or f8: those outputs are written as f32.
void write_output(const std::filesystem::path& directory, const std::string& name, const HostTensor& tensor) {
  std::string file = name;
  for (char& c : file)
    if (!std::isalnum(static_cast<unsigned char>(c)) && c != '_' && c != '-' && c != '.') c = '_';
  const bool representable = tensor.dtype() != DType::bf16 && !is_float8(tensor.dtype());
  write_npy(directory / (file + ".npy"), representable ? tensor : from_f32(DType::f32, tensor.dims(), to_f32(tensor)));
  say("{}: {}", (directory / (file + ".npy")).string(), describe(tensor));
}

void run_interpreter(const Options& o) {
  Graph graph = load_model(o.model);
  check_types(graph);
  auto given = read_inputs(o.inputs);
  std::vector<HostTensor> inputs;
  for (const ValueId id : graph.inputs) {
    const Value& value = graph.value(id);
    inputs.push_back(take(given, value.name, value.type->dtype, value.type->shape.size()));
  }
  no_leftover(given);
  const auto outputs = interpret(graph, inputs);
  for (size_t i = 0; i < outputs.size(); ++i) write_output(o.output_dir, graph.value(graph.outputs[i]).name, outputs[i]);
}

void run_plan(const Options& o) {
  const Engine engine = open_engine(o.model, o.device);
  std::shared_ptr<const Executable> executable = engine.executable;
  if (o.reference == "steps") executable = oracle::make_backend()->prepare(engine.plan, {.threads = o.device.threads});
  auto given = read_inputs(o.inputs);
  Tensors tensors = take_all(given, *engine.plan);
  no_leftover(given);
  const int64_t batch = tensors.inputs.at(0).dims()[0];
  const auto context = executable->new_context();
  context->reserve(batch);
  run_engine(engine, *context, batch, tensors);
  for (size_t i = 0; i < tensors.outputs.size(); ++i) write_output(o.output_dir, engine.plan->outputs[i].name, tensors.outputs[i]);
}

int run(const Options& o) {
  std::error_code error;
  std::filesystem::create_directories(o.output_dir, error);
  if (error) fail(Code::kIo, "cannot create {}: {}", o.output_dir, error.message());
  if (o.reference == "onnx" && is_plan(o.model))
    throw Error(Code::kUsage, "--reference=onnx needs an ONNX file", "use --reference=steps with an engine");
  o.reference == "onnx" ? run_interpreter(o) : run_plan(o);
  return 0;
}

}  // namespace

Run add_run(CLI::App& app) {
  auto o = std::make_shared<Options>();
  app.add_option("model", o->model, "ONNX file or engine")->required();
  app.add_option("--input,-i", o->inputs, "NAME=FILE.npy, once an input")->required();
  app.add_option("--output-dir,-o", o->output_dir, "where NAME.npy of each output goes")->capture_default_str();
  app.add_option("--reference", o->reference, "run a plain reference instead: steps (the fused steps in f64) or onnx (node by node)")
      ->check(CLI::IsMember({"steps", "onnx"}));
  o->device.add_to(app);
  return [o] { return run(*o); };
}

}  // namespace octet::cli
