// octet synth: a checkpoint with a real model's shape and random weights.
#include "frontends/synth.h"

#include "base/text.h"
#include "console.h"
#include "subcommand.h"

namespace octet::cli {
namespace {

struct Options {
  std::string model, output;
  uint64_t seed = 0;
};

}  // namespace

Run add_synth(CLI::App& app) {
  auto o = std::make_shared<Options>();
  app.add_option("model", o->model, join(synth_models(), ", "))->required();
  app.add_option("-o,--output", o->output, "directory to write")->required();
  app.add_option("--seed", o->seed, "of the random weights")->capture_default_str();
  return [o] {
    write_synth_checkpoint(o->model, o->seed, o->output);
    say("{}: wrote config.json, preprocessor_config.json, model.safetensors, modelopt_state.pth", o->output);
    return 0;
  };
}

}  // namespace octet::cli
