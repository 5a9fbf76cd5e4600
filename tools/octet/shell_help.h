// The man page and the shell completions, printed by the program itself from its own options: the build installs them, and they
// cannot lag behind. Hidden flags: --print-man, --print-completion=bash|zsh|fish.
#pragma once
#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace octet::cli {

// What CLI11 knows about one option, in the terms of a shell.
struct HelpOption {
  std::vector<std::string> names;    // "-q", "--quiet"; empty: a positional argument
  std::string label;                 // what stands for its value: "FILE", "N", or the positional's name
  std::string text;                  // its description, with the default
  std::vector<std::string> choices;  // the only values it takes, if there are few
  enum class Value { kNone, kFile, kOther } value = Value::kNone;
};
struct HelpCommand {
  std::string name, text, example;
  std::vector<HelpOption> options;  // hidden ones left out
};
struct HelpPages {
  HelpCommand program;
  std::vector<HelpCommand> commands;
};
HelpPages help_pages(const CLI::App& app);

std::string man_page(const HelpPages& pages);  // roff, man(7)
std::string bash_completion(const HelpPages& pages);
std::string zsh_completion(const HelpPages& pages);
std::string fish_completion(const HelpPages& pages);

void add_shell_help(CLI::App& app);  // the hidden flags; they print and end the program

}  // namespace octet::cli
