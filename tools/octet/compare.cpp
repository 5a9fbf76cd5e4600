// octet compare: two models or engines on the same inputs, output by output and layer by layer; or one engine's steps, each fed the
// exact reference's inputs. What is computed: src/compare.h and oracle/compare.h.
#include "compare.h"

#include <algorithm>

#include "base/log.h"
#include "base/text.h"
#include "compare_report.h"
#include "console.h"
#include "npy_inputs.h"
#include "onnxruntime.h"
#include "plan/uses.h"
#include "subcommand.h"

namespace octet::cli {
namespace {

struct Options {
  std::string a, b;
  std::vector<std::string> inputs;
  std::string against, python = "python3";
  bool per_layer = false, teacher_forced = false, json = false;
  int64_t batch = 1, rows = 0;
  Gates gates;
  DeviceOptions device;
};

// An engine, its tensors and where it came from.
struct Subject {
  std::string path;
  Engine engine;
  Tensors tensors;
  std::unique_ptr<Context> context;
  const plan::Plan& plan() const { return *engine.plan; }
};

Subject open(const std::string& path, const Options& o) {
  DeviceOptions device = o.device;
  if (o.per_layer || o.teacher_forced || !o.against.empty()) device.chunk = -1;
  Engine engine = with_context([&] { return "opening " + path; }, [&] { return open_engine(path, device); });
  auto context = engine.executable->new_context();
  return {path, std::move(engine), {}, std::move(context)};
}

// Gives every input of `subject` the tensor of its name, or of the partner's input at the same position.
void bind_inputs(Subject& subject, const Subject* partner, const NamedTensors& given) {
  NamedTensors mine;
  const auto& inputs = subject.plan().inputs;
  const bool aligned = partner != nullptr && partner->plan().inputs.size() == inputs.size();
  for (size_t i = 0; i < inputs.size(); ++i) {
    auto found = given.find(inputs[i].name);
    if (found == given.end() && aligned) found = given.find(partner->plan().inputs[i].name);
    if (found != given.end()) mine.emplace(inputs[i].name, found->second);
  }
  subject.tensors = with_context([&] { return "binding the inputs of " + subject.path; }, [&] { return take_all(mine, subject.plan()); });
  subject.context->reserve(subject.tensors.inputs[0].dims()[0]);
}

NamedTensors inputs_of(const Options& o, const Subject& a) {
  if (!o.inputs.empty()) return read_inputs(o.inputs);
  NamedTensors given;
  Tensors random = random_tensors(a.plan(), o.batch);
  for (size_t i = 0; i < random.inputs.size(); ++i) given.emplace(a.plan().inputs[i].name, std::move(random.inputs[i]));
  return given;
}

void bind_all(const Options& o, std::span<Subject> subjects) {
  const NamedTensors given = inputs_of(o, subjects[0]);
  std::vector<std::string> known;
  for (const Subject& subject : subjects)
    for (const auto& binding : subject.plan().inputs)
      if (std::ranges::find(known, binding.name) == known.end()) known.push_back(binding.name);
  for (const auto& [name, tensor] : given)
    if (std::ranges::find(known, name) == known.end())
      throw Error(Code::kUsage, fmt::format("no model has an input `{}`", printable(name)), "inputs: " + join(known, ", "));
  for (size_t i = 0; i < subjects.size(); ++i) bind_inputs(subjects[i], subjects.size() == 2 ? &subjects[1 - i] : nullptr, given);
}

// b's output that stands for a's output i: of the same name, or else at the same position.
size_t partner_of(const Subject& a, size_t i, const Subject& b) {
  for (size_t j = 0; j < b.plan().outputs.size(); ++j)
    if (b.plan().outputs[j].name == a.plan().outputs[i].name) return j;
  if (a.plan().outputs.size() != b.plan().outputs.size())
    throw Error(Code::kUsage, fmt::format("{} has no output `{}`, and the numbers of outputs differ", b.path, a.plan().outputs[i].name));
  return i;
}

// The step that writes an output.
std::string step_of(const plan::Plan& plan, size_t output) {
  for (const plan::Step& step : plan.steps)
    if (plan::out_of(step.op) == plan.outputs[output].buffer) return step.name;
  return "";
}

void compare_outputs(Subject& a, Subject& b, CompareReport& report) {
  for (Subject* subject : {&a, &b}) run_engine(subject->engine, *subject->context, subject->tensors.inputs[0].dims()[0], subject->tensors);
  for (size_t i = 0; i < a.tensors.outputs.size(); ++i) {
    const size_t j = partner_of(a, i, b);
    const HostTensor &x = a.tensors.outputs[i], &y = b.tensors.outputs[j];
    const std::string& name = a.plan().outputs[i].name;
    if (x.dims() != y.dims()) throw Error(Code::kUsage, fmt::format("output `{}` is {} in A and {} in B", name, describe(x), describe(y)));
    report.outputs.push_back({name, step_of(a.plan(), i), step_of(b.plan(), j), x.dtype(), y.dtype(),
                              compare_tensors({x.dtype(), x.bytes()}, {y.dtype(), y.bytes()}, x.dims().back())});
  }
}

ForcedEngine force(Subject& subject, int64_t rows, int threads) {
  ThreadPool pool(threads > 0 ? threads : usable_cores());
  const auto inputs = subject.tensors.input_pointers();
  const auto& steps = subject.plan().steps;
  ForcedEngine out{subject.path, {}};
  oracle::teacher_force(
      subject.plan(), *subject.context, inputs, subject.tensors.inputs[0].dims()[0], rows,
      [&](size_t i, const oracle::StepVerdict& verdict) {
        const DType dtype = subject.plan().buffers[plan::out_of(steps[i].op)].dtype;
        out.steps.push_back({steps[i].name, subject.engine.executable->choices()[i].kernel, dtype, verdict});
        progress("comparing with the exact reference", static_cast<int64_t>(i + 1), static_cast<int64_t>(steps.size()));
      },
      &pool, subject.engine.executable->choices());
  return out;
}

// A on onnxruntime; B, or A itself, on octet: every tensor that a step of octet writes, and the outputs.
void against_onnxruntime(const Options& o, Subject& subject, CompareReport& report) {
  const plan::Plan& plan = subject.plan();
  NamedTensors inputs;
  for (size_t i = 0; i < plan.inputs.size(); ++i) inputs.emplace(plan.inputs[i].name, subject.tensors.inputs[i]);
  std::vector<std::string> names;
  for (const plan::Step& step : plan.steps) {
    for (const std::string& name : model_tensors(plan.buffers[plan::out_of(step.op)].name)) {
      names.push_back(name);
      if (before_moving(name) != name) names.push_back(before_moving(name));
    }
  }
  const NamedTensors theirs = run_onnxruntime(o.python, o.a, inputs, names);
  const auto in = subject.tensors.input_pointers();
  report.forced_by = o.teacher_forced ? "onnxruntime" : "";
  report.layers = (o.teacher_forced ? compare_forced : compare_with)(theirs, "onnxruntime", {plan, *subject.context, in}, report.batch);
  for (const LayerDifference& layer : report.layers.layers)
    for (const plan::Binding& output : plan.outputs)
      if (output.name == layer.name) report.outputs.push_back(layer);
}

void check_usage(const Options& o) {
  if (!o.against.empty() && is_plan(o.a))
    throw Error(Code::kUsage, "--against onnxruntime needs the ONNX file first", "octet compare MODEL.onnx [ENGINE] --against onnxruntime");
  if (!o.against.empty() && o.per_layer) throw Error(Code::kUsage, "--against onnxruntime compares layer by layer itself");
  if (!o.against.empty()) return;
  if (o.b.empty() && !o.teacher_forced)
    throw Error(Code::kUsage, "one model is given, and nothing to compare it with",
                "give a second one, or --teacher-forced: each step against the exact reference");
  if (o.b.empty() && o.per_layer) throw Error(Code::kUsage, "--per-layer compares two models");
  if (o.rows > 0 && !o.teacher_forced) throw Error(Code::kUsage, "--rows goes with --teacher-forced");
}

int compare(const Options& o) {
  check_usage(o);
  std::vector<Subject> subjects;
  const bool beside = o.against.empty();  // else A runs elsewhere
  if (beside || o.b.empty()) subjects.push_back(open(o.a, o));
  if (!o.b.empty()) subjects.push_back(open(o.b, o));
  bind_all(o, subjects);
  CompareReport report{beside ? o.a : o.a + " on onnxruntime",
                       beside || !o.b.empty() ? o.b : o.a,
                       subjects[0].engine.device,
                       o.inputs.empty() ? "random" : "given",
                       subjects[0].tensors.inputs[0].dims()[0],
                       {},
                       {},
                       {}};
  report.bad_cosine = o.gates.min_cosine.value_or(report.bad_cosine);
  if (!o.against.empty()) against_onnxruntime(o, subjects[0], report);
  if (subjects.size() == 2) compare_outputs(subjects[0], subjects[1], report);
  if (o.per_layer) {
    const auto in_a = subjects[0].tensors.input_pointers(), in_b = subjects[1].tensors.input_pointers();
    report.layers =
        compare_layers({subjects[0].plan(), *subjects[0].context, in_a}, {subjects[1].plan(), *subjects[1].context, in_b}, report.batch);
  }
  for (Subject& subject : subjects)
    if (o.teacher_forced && beside) report.forced.push_back(force(subject, o.rows, o.device.threads));
  const auto failures = failures_of(report, o.gates);
  print_out(o.json ? to_json(report, failures) : to_text(report));
  if (!failures.empty())
    throw Error(Code::kGate, fmt::format("{} of the comparison's gates failed:\n  {}", failures.size(), join(failures, "\n  ")));
  return 0;
}

}  // namespace

Run add_compare(CLI::App& app) {
  auto o = std::make_shared<Options>();
  app.add_option("a", o->a, "ONNX file or engine: the one to measure against")->required()->type_name("PATH");
  app.add_option("b", o->b, "ONNX file or engine")->type_name("PATH");
  app.add_option("--input,-i", o->inputs, "NAME=FILE.npy, once an input (default: random, as exec times with)")->allow_extra_args(false);
  app.add_option("--batch", o->batch, "items of the random inputs")->check(CLI::Range(1, 1 << 20))->capture_default_str();
  app.add_flag("--per-layer", o->per_layer, "compare every intermediate tensor that both have, too");
  app.add_flag("--teacher-forced", o->teacher_forced,
               "judge every step on the exact reference's inputs; B may be left out. With --against: on onnxruntime's");
  app.add_option("--against", o->against, "onnxruntime: A, an ONNX file, runs there; B, or A, here; every layer is compared")
      ->check(CLI::IsMember({"onnxruntime"}));
  app.add_option("--python", o->python, "the Python that has onnxruntime, onnx and numpy (with --against)")->capture_default_str();
  app.add_option("--rows", o->rows, "output rows judged a step, spread evenly (with --teacher-forced; default: all)")
      ->check(CLI::Range(1, 1 << 30));
  app.add_option("--min-cosine", o->gates.min_cosine, "exit 6 if a compared tensor's mean cosine over rows is lower")
      ->check(CLI::Range(-1.0, 1.0));
  app.add_option("--max-code-diff", o->gates.max_code_diff, "exit 6 if more than this percentage of a tensor's FP8 codes differ")
      ->check(CLI::Range(0.0, 100.0));
  app.add_flag("--json", o->json, "machine-readable output, schema octet.compare/1");
  o->device.add_to(app);
  return [o] { return compare(*o); };
}

}  // namespace octet::cli
