// octet: the command line. One thin file a subcommand; errors become exit codes here and nowhere else.
#include <exception>
#include <new>

#include "base/error.h"
#include "base/text.h"
#include "base/version.h"
#include "console.h"
#include "shell_help.h"
#include "subcommand.h"

namespace octet::cli {
namespace {

int report(const Error& error) {
  fmt::print(stderr, "octet: error: {}\n", error.render());
  return static_cast<int>(error.code());
}

// The flag of `sub` nearest to the first word that it did not know; "" if none is near.
std::string near_flag(const CLI::App& sub) {
  std::vector<std::string> names;
  for (const CLI::Option* option : sub.get_options())
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  for (const std::string& word : sub.remaining())
    if (word.starts_with("--")) return nearest(word.substr(0, word.find('=')), names);
  return {};
}

// CLI11's messages, with a near-miss suggestion for a word nobody knows.
int report_usage(const CLI::App& app, const CLI::ParseError& error, int argc, char** argv) {
  if (error.get_exit_code() == 0) return app.exit(error);
  std::vector<std::string> names;
  for (const auto& sub : subcommands()) names.emplace_back(sub.name);
  std::string fix = "see `octet --help`";
  if (argc > 1 && app.get_subcommands().empty() && argv[1][0] != '-') {
    const std::string near = nearest(argv[1], names);
    return report(Error(Code::kUsage, fmt::format("there is no subcommand `{}`", printable(argv[1])),
                        near.empty() ? "subcommands: " + join(names, " ") : "did you mean `" + near + "`?"));
  }
  if (!app.get_subcommands().empty()) {
    const CLI::App& sub = *app.get_subcommands()[0];
    fix = "see `octet " + sub.get_name() + " --help`";
    if (const std::string near = near_flag(sub); !near.empty()) fix = "did you mean `" + near + "`?";
  }
  return report(Error(Code::kUsage, error.what(), fix));
}

int run(int argc, char** argv) {
  CLI::App app("octet compiles FP8-quantized models into engines, explains them, times them and runs them.");
  app.set_version_flag("--version", "octet " + std::string(build_version()));
  app.require_subcommand(1);
  bool quiet = false;
  app.add_flag("--quiet,-q", quiet, "no messages and no progress on stderr");
  add_shell_help(app);
  std::vector<std::pair<CLI::App*, Run>> runs;
  for (const auto& sub : subcommands()) {
    CLI::App* child = app.add_subcommand(std::string(sub.name), std::string(sub.summary));
    child->footer("Example:\n  " + std::string(sub.example));
    child->add_flag("--quiet,-q", quiet, "no messages and no progress on stderr");
    runs.emplace_back(child, sub.add(*child));
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return report_usage(app, error, argc, argv);
  }
  set_quiet(quiet);
  for (auto& [child, body] : runs)
    if (child->parsed()) return body();
  return static_cast<int>(Code::kUsage);
}

}  // namespace
}  // namespace octet::cli

int main(int argc, char** argv) {
  octet::cli::install_sinks();
  octet::cli::set_command_line(argc, argv);
  try {
    return octet::cli::run(argc, argv);
  } catch (const octet::Error& error) {
    return octet::cli::report(error);
  } catch (const std::bad_alloc&) {
    return octet::cli::report(octet::Error(octet::Code::kIo, "out of memory", "use a smaller batch"));
  } catch (const std::exception& error) {
    return octet::cli::report(octet::Error(octet::Code::kInternal, error.what(), "this is a defect of octet; please report it"));
  }
}
