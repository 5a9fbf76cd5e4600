// Completion scripts for bash, zsh and fish: subcommands, their options, the words an option takes, files where it takes a file.
#include <fmt/format.h>

#include "base/text.h"
#include "shell_help.h"

namespace octet::cli {
namespace {

using Value = HelpOption::Value;

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  for (size_t at = 0; (at = text.find(from, at)) != text.npos; at += to.size()) text.replace(at, from.size(), to);
  return text;
}

// Everything that may follow a command: its options, and the words its positionals take.
std::string words_of(const HelpCommand& command) {
  std::vector<std::string> words;
  for (const HelpOption& option : command.options) {
    const auto& more = option.names.empty() ? option.choices : option.names;
    words.insert(words.end(), more.begin(), more.end());
  }
  return join(words, " ");
}

// bash: what may follow `--option`; nothing for an option that takes any file (readline's default completes it).
std::string bash_values(const HelpCommand& command) {
  std::string text;
  for (const HelpOption& option : command.options) {
    if (option.names.empty() || option.value == Value::kNone) continue;
    const std::string pattern = fmt::format("    {}:{})", command.name, join(option.names, "|" + command.name + ":"));
    if (!option.choices.empty()) text += fmt::format("{} values='{}' ;;\n", pattern, join(option.choices, " "));
    else text += pattern + (option.value == Value::kFile ? " return ;;\n" : " compopt +o default; return ;;\n");
  }
  return text;
}

// zsh: text inside '...[...]': brackets, colons and quotes have meanings there.
std::string zsh_text(const std::string& text) {
  std::string out;
  for (const char c : text)
    out += c == '\'' ? "'\\''" : c == '[' || c == ']' || c == ':' || c == '\\' ? std::string("\\") + c : std::string(1, c);
  return out;
}
std::string zsh_action(const HelpOption& option) {
  if (!option.choices.empty()) return "(" + join(option.choices, " ") + ")";
  return option.value == Value::kFile ? "_files" : " ";
}
std::string zsh_arguments(const HelpCommand& command) {
  std::string text;
  for (const HelpOption& option : command.options) {
    if (option.names.empty()) {
      text += fmt::format(" \\\n        '*:{}:{}'", zsh_text(option.label), zsh_action(option));
      continue;
    }
    for (const std::string& name : option.names) {
      const bool is_long = name.starts_with("--");
      const std::string value = option.value == Value::kNone ? "" : fmt::format(":{}:{}", zsh_text(option.label), zsh_action(option));
      text += fmt::format(" \\\n        '*{}{}[{}]{}'", name,
                          option.value == Value::kNone ? ""
                          : is_long                    ? "="
                                                       : "+",
                          zsh_text(option.text), value);
    }
  }
  return text;
}

std::string fish_quoted(const std::string& text) { return "'" + replaced(replaced(text, "\\", "\\\\"), "'", "\\'") + "'"; }
std::string fish_line(const std::string& condition, const HelpOption& option) {
  std::string text = fmt::format("complete -c octet -n {}", fish_quoted(condition));
  for (const std::string& name : option.names) text += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
  if (option.value == Value::kFile) text += " -r -F";
  if (option.value == Value::kOther) text += " -x";
  if (!option.choices.empty()) text += (option.names.empty() ? " -f -a " : " -a ") + fish_quoted(join(option.choices, " "));
  return text + " -d " + fish_quoted(option.text) + "\n";
}

std::vector<std::string> names_of(const HelpPages& pages) {
  std::vector<std::string> names;
  for (const HelpCommand& command : pages.commands) names.push_back(command.name);
  return names;
}

}  // namespace

std::string bash_completion(const HelpPages& pages) {
  std::string text =
      "# bash completion of octet; printed by `octet --print-completion=bash`\n"
      "_octet() {\n"
      "  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} command='' words='' values='' i\n"
      "  # bash splits --option=value into three words\n"
      "  if [[ $cur == = ]]; then cur=''; elif [[ $prev == = ]]; then prev=${COMP_WORDS[COMP_CWORD-2]}; fi\n"
      "  for ((i = 1; i < COMP_CWORD; ++i)); do\n";
  text += fmt::format("    case ${{COMP_WORDS[i]}} in {}) command=${{COMP_WORDS[i]}}; break ;; esac\n  done\n", join(names_of(pages), "|"));
  text += "  case $command:$prev in\n";
  for (const HelpCommand& command : pages.commands) text += bash_values(command);
  text +=
      "  esac\n  if [[ -n $values ]]; then mapfile -t COMPREPLY < <(compgen -W \"$values\" -- \"$cur\"); return; fi\n  case $command in\n";
  text += fmt::format("    '') words='{} {}' ;;\n", join(names_of(pages), " "), words_of(pages.program));
  for (const HelpCommand& command : pages.commands) text += fmt::format("    {}) words='{}' ;;\n", command.name, words_of(command));
  return text + "  esac\n  mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n}\ncomplete -o default -F _octet octet\n";
}

std::string zsh_completion(const HelpPages& pages) {
  std::string text =
      "#compdef octet\n# printed by `octet --print-completion=zsh`\n_octet() {\n  local context state line\n  local -a commands\n  "
      "commands=(\n";
  for (const HelpCommand& command : pages.commands) text += fmt::format("    '{}:{}'\n", command.name, zsh_text(command.text));
  text += fmt::format(
      "  )\n  _arguments -C{} \\\n        '1: :->command' '*:: :->arguments'\n  case $state in\n    command) _describe 'subcommand' "
      "commands ;;\n"
      "    arguments)\n      case $words[1] in\n",
      zsh_arguments(pages.program));
  for (const HelpCommand& command : pages.commands)
    text += fmt::format("      {}) _arguments{} ;;\n", command.name, zsh_arguments(command));
  return text + "      esac ;;\n  esac\n}\n_octet \"$@\"\n";
}

std::string fish_completion(const HelpPages& pages) {
  std::string text = "# fish completion of octet; printed by `octet --print-completion=fish`\n";
  for (const HelpOption& option : pages.program.options) text += fish_line("__fish_use_subcommand", option);
  for (const HelpCommand& command : pages.commands) {
    text += fmt::format("complete -c octet -n __fish_use_subcommand -f -a {} -d {}\n", command.name, fish_quoted(command.text));
    for (const HelpOption& option : command.options)
      if (!option.names.empty() || !option.choices.empty()) text += fish_line("__fish_seen_subcommand_from " + command.name, option);
  }
  return text;
}

}  // namespace octet::cli
