// octet(1) in man(7)'s macros.
#include <algorithm>

#include "base/text.h"
#include "base/version.h"
#include "console.h"
#include "shell_help.h"

namespace octet::cli {
namespace {

struct Entry {
  const char *name, *text;
};
constexpr Entry kExitCodes[] = {
    {"0", "success"},
    {"2", "wrong options"},
    {"3", "an unreadable or invalid file: damaged engines and type errors included"},
    {"4", "a valid file with an operator, type or target that octet does not support"},
    {"5", "a missing file, missing permission or a full disk"},
    {"6", "a requested gate failed (accuracy, a threshold of compare)"},
    {"70", "a defect of octet"},
};
constexpr Entry kEnvironment[] = {
    {"OCTET_ISA", "portable, avx2, avx512, avx512bf16 or amx: caps the instruction sets that kernels may use"},
};

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\') out += "\\e";
    else if (c == '-') out += "\\-";
    else if (c == '\n') out += ' ';
    else out += c;
  }
  return out.starts_with('.') || out.starts_with('\'') ? "\\&" + out : out;
}

std::string names_of(const HelpOption& option) {
  std::vector<std::string> names;
  for (const std::string& name : option.names) names.push_back("\\fB" + escaped(name) + "\\fR");
  std::string text = join(names, ", ");
  if (option.names.empty()) return "\\fI" + escaped(option.label) + "\\fR";
  const std::string value = option.choices.empty() ? "\\fI" + escaped(option.label) + "\\fR" : escaped(join(option.choices, "|"));
  return option.value == HelpOption::Value::kNone ? text : text + " " + value;
}

std::string synopsis_of(const HelpCommand& command) {
  std::string text = "octet " + escaped(command.name);
  for (const HelpOption& option : command.options)
    if (option.names.empty()) text += " \\fI" + escaped(option.label) + "\\fR";
  return text + " [options]";
}

// Less those of `common`, which every subcommand has.
std::string options_of(const HelpCommand& command, const HelpCommand& common = {}) {
  const auto is_common = [&](const HelpOption& option) {
    return !option.names.empty() &&
           std::ranges::any_of(common.options, [&](const HelpOption& other) { return option.names == other.names; });
  };
  std::string text;
  for (const HelpOption& option : command.options)
    if (!is_common(option)) text += fmt::format(".TP\n{}\n{}\n", names_of(option), escaped(option.text));
  return text;
}

template <size_t kCount>
std::string entries_of(const Entry (&entries)[kCount]) {
  std::string text;
  for (const Entry& entry : entries) text += fmt::format(".TP\n\\fB{}\\fR\n{}\n", escaped(entry.name), escaped(entry.text));
  return text;
}

}  // namespace

std::string man_page(const HelpPages& pages) {
  std::string text = fmt::format(".TH OCTET 1 \"\" \"octet {}\" \"User Commands\"\n", build_version());
  text += fmt::format(
      ".SH NAME\noctet \\- FP8\\-quantized models into engines, and engines explained, timed and run\n"
      ".SH SYNOPSIS\n.B octet\n\\fISUBCOMMAND\\fR [options]\n.SH DESCRIPTION\n{}\n.SH OPTIONS\n{}",
      escaped(pages.program.text), options_of(pages.program));
  text += ".SH SUBCOMMANDS\n";
  for (const HelpCommand& command : pages.commands) {
    text += fmt::format(".SS {}\n{}: {}.\n.PP\n{}\n{}", escaped(command.name), "\\fB" + escaped(command.name) + "\\fR",
                        escaped(command.text), synopsis_of(command), options_of(command, pages.program));
    text += fmt::format(".PP\nExample:\n.PP\n.RS\n.nf\n{}\n.fi\n.RE\n", escaped(command.example));
  }
  text += ".SH EXIT STATUS\n" + entries_of(kExitCodes) + ".SH ENVIRONMENT\n" + entries_of(kEnvironment);
  return text;
}

}  // namespace octet::cli
