#include "shell_help.h"

#include <algorithm>

#include "base/text.h"
#include "console.h"
#include "subcommand.h"

namespace octet::cli {
namespace {

// CLI11 writes the words of IsMember into the type: "TEXT:{fp8,fp16}".
std::vector<std::string> choices_of(const std::string& type) {
  const size_t begin = type.find('{'), end = type.find('}');
  if (begin == type.npos || end == type.npos) return {};
  return split(std::string_view(type).substr(begin + 1, end - begin - 1), ',');
}

// "FILE" for what names a file by its type or its description; CLI11's own type otherwise, cut before its validators.
std::string label_of(const CLI::Option& option, const std::string& type) {
  const std::string about = option.get_description() + " " + option.get_name();
  for (const char* word : {"file", "FILE", "directory", "where "})
    if (type.starts_with("TEXT") && about.find(word) != about.npos && choices_of(type).empty()) return "FILE";
  const std::string label = type.substr(0, type.find_first_of(": "));
  return label.empty() || label == "TEXT" ? "VALUE" : label;
}

HelpOption option_of(const CLI::Option& option) {
  HelpOption out;
  for (const std::string& name : option.get_snames()) out.names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) out.names.push_back("--" + name);
  const std::string type = option.get_type_name();
  out.text = option.get_description();
  if (!option.get_default_str().empty()) out.text += " (default: " + option.get_default_str() + ")";
  if (option.get_items_expected_max() == 0) return out;
  out.choices = choices_of(type);
  out.label = out.names.empty() ? option.get_name() : label_of(option, type);
  const bool file = label_of(option, type) == "FILE" || label_of(option, type) == "PATH";
  out.value = file ? HelpOption::Value::kFile : HelpOption::Value::kOther;
  return out;
}

HelpCommand command_of(const CLI::App& app) {
  HelpCommand out{app.get_name(), app.get_description(), "", {}};
  for (const CLI::Option* option : app.get_options())
    if (!option->get_group().empty()) out.options.push_back(option_of(*option));
  for (const Subcommand& sub : subcommands())
    if (sub.name == out.name) out.example = sub.example;
  return out;
}

}  // namespace

HelpPages help_pages(const CLI::App& app) {
  HelpPages pages{command_of(app), {}};
  for (const CLI::App* sub : app.get_subcommands({})) pages.commands.push_back(command_of(*sub));
  return pages;
}

void add_shell_help(CLI::App& app) {
  app.add_flag_callback("--print-man",
                        [&app] {
                          print_out(man_page(help_pages(app)));
                          throw CLI::Success();
                        })
      ->group("");
  app.add_option_function<std::string>(
         "--print-completion",
         [&app](const std::string& shell) {
           const HelpPages pages = help_pages(app);
           print_out(shell == "bash" ? bash_completion(pages) : shell == "zsh" ? zsh_completion(pages) : fish_completion(pages));
           throw CLI::Success();
         })
      ->check(CLI::IsMember({"bash", "zsh", "fish"}))
      ->group("");
}

}  // namespace octet::cli
