// One subcommand a file. add_NAME declares its options on `app` and returns what runs when it is chosen (the exit code is its
// result). Common flags (--quiet, --json where output is data, --cpu-threads, --device) come from console.h.
#pragma once
#include <CLI/CLI.hpp>
#include <functional>
#include <span>
#include <string_view>

namespace octet::cli {

using Run = std::function<int()>;
struct Subcommand {
  std::string_view name, summary, example;
  Run (*add)(CLI::App& app);
};
std::span<const Subcommand> subcommands();  // list.cpp, in the order of --help

Run add_quantize(CLI::App& app);
Run add_export(CLI::App& app);
Run add_check(CLI::App& app);
Run add_fix_types(CLI::App& app);
Run add_convert(CLI::App& app);
Run add_extract(CLI::App& app);
Run add_exec(CLI::App& app);
Run add_run(CLI::App& app);
Run add_inspect(CLI::App& app);
Run add_profile(CLI::App& app);
Run add_eval(CLI::App& app);
Run add_compare(CLI::App& app);
Run add_support(CLI::App& app);
Run add_synth(CLI::App& app);
Run add_demo(CLI::App& app);

}  // namespace octet::cli
