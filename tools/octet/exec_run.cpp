// The runs that exec times: one stream, or several at a time; then each step on its own.
#include <chrono>
#include <cstring>
#include <exception>
#include <thread>

#include "base/text.h"
#include "exec.h"
#include "profile/estimate.h"
#include "profile_engine.h"

namespace octet::cli::exec {
namespace {

using SteadyClock = std::chrono::steady_clock;
constexpr profile::StepTimingOptions kFullProfile{.least_runs = 11, .most_runs = 11, .seconds = 0};
constexpr profile::StepTimingOptions kOneRun{.least_runs = 1, .most_runs = 1, .seconds = 0, .traced_runs = 0, .plain_runs = false};

// A context, and tensors where the device reads and writes fastest.
struct Stream {
  std::unique_ptr<Context> context;
  Tensors tensors;
  Bound bound;
  std::exception_ptr failure;

  std::optional<DeviceTimes> run(int64_t batch) {
    context->run(batch, bound.in, bound.out, nullptr);
    return context->last_times();
  }
};

Stream make_stream(const Options& o, const Engine& engine, int64_t batch, Tensors tensors) {
  Stream stream{engine.executable->new_context(), std::move(tensors), {}, nullptr};
  stream.context->reserve(batch);
  stream.bound = bind(engine, stream.tensors);
  if (!o.transfers) stream.run(batch), stream.context->set_transfers(false);
  return stream;
}

// Each stream on a thread of its own, by one clock. The first failure is thrown once all have ended.
profile::Timing time_streams(const Options& o, std::vector<Stream>& streams, int64_t batch) {
  const auto time = [&](Stream& stream, const profile::Clock& clock) {
    return profile::measure([&] { return stream.run(batch); }, o.timing, clock);
  };
  if (streams.size() == 1) return time(streams[0], {});
  const auto start = SteadyClock::now();
  const profile::Clock clock = [start] { return std::chrono::duration<double, std::milli>(SteadyClock::now() - start).count(); };
  std::vector<profile::Timing> timings(streams.size());
  std::vector<std::thread> threads;
  for (size_t i = 0; i < streams.size(); ++i)
    threads.emplace_back([&, i] {
      try {
        timings[i] = time(streams[i], clock);
      } catch (...) {
        streams[i].failure = std::current_exception();
      }
    });
  for (auto& thread : threads) thread.join();
  for (const Stream& stream : streams)
    if (stream.failure) std::rethrow_exception(stream.failure);
  return profile::merge(timings);
}

// Step by step, at times of their own. Steps that overlap in the timed runs (a graph, dependent launches) add up to more here.
profile::LayerProfile profile_steps(const Engine& engine, Stream& stream, int64_t batch, const profile::StepTimingOptions& options) {
  const auto& steps = engine.plan->steps;
  profile::StepTimes times = profile::time_steps(*stream.context, steps.size(), batch, stream.bound.in, stream.bound.out, options);
  profile::LayerProfile profile{batch, engine.device, engine.plan->name};
  profile.plain_ms = profile::median_of(times.plain_ms);
  for (size_t i = 0; i < steps.size(); ++i)
    profile.layers.push_back({steps[i].name, std::string(plan::kind_of(steps[i].op)), plan::problem_of(*engine.plan, steps[i], batch),
                              engine.executable->kernel(i, batch), std::move(times.ms[i])});
  return profile;
}

// What the device wrote, into the host's tensors.
void fetch_outputs(Stream& stream, int64_t batch, bool transfers) {
  if (!transfers) stream.context->set_transfers(true), stream.run(batch);
  for (size_t i = 0; i < stream.tensors.outputs.size(); ++i) {
    HostTensor& output = stream.tensors.outputs[i];
    if (stream.bound.out[i] != output.bytes().data()) std::memcpy(output.mutable_data(), stream.bound.out[i], output.bytes().size());
  }
}

void say_bindings(const plan::Plan& plan, int64_t batch) {
  for (const bool input : {true, false})
    for (const plan::Binding& binding : input ? plan.inputs : plan.outputs)
      info(fmt::format("{} binding for {} with dimensions {} is created.", input ? "Input" : "Output", printable(binding.name),
                       fmt::join(dims_at(plan, binding, batch), "x")));
}

}  // namespace

Measured measure(const Options& o, const Engine& engine, int64_t batch) {
  Tensors tensors = make_tensors(o, *engine.plan, batch, o.inputs, true);
  say_bindings(*engine.plan, batch);
  info(fmt::format("Device: {}, weights {}, arena {} at batch {}", engine.device, human_bytes(engine.executable->weight_bytes()),
                   human_bytes(engine.executable->arena_bytes(batch)), batch));
  std::vector<Stream> streams;
  streams.reserve(static_cast<size_t>(o.streams));  // bound tensors stay where they are
  for (int i = 0; i < o.streams; ++i) streams.push_back(make_stream(o, engine, batch, i + 1 < o.streams ? tensors : std::move(tensors)));
  info("Starting inference");
  if (const double ms = o.flags.number("--sleepTime", 0); ms > 0)
    std::this_thread::sleep_for(std::chrono::duration<double, std::milli>(ms));
  Measured measured;
  measured.timing = time_streams(o, streams, batch);
  measured.memory = engine.executable->memory_report(batch);
  const bool full = o.flags.has("--dumpProfile") || o.flags.has("--exportProfile");
  fetch_outputs(streams[0], batch, o.transfers);
  if (full) check_outputs(engine, *streams[0].context, batch, streams[0].bound, streams[0].tensors);
  if (!o.transfers) streams[0].context->set_transfers(false);
  measured.profile = profile_steps(engine, streams[0], batch, full ? kFullProfile : kOneRun);
  measured.profile.compute_ms = profile::summarize(measured.timing, {}, &profile::Run::compute_ms).median;
  measured.tensors = std::move(streams[0].tensors);
  return measured;
}

}  // namespace octet::cli::exec
