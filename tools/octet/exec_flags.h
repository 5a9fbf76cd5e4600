// Every flag of `octet exec`, as data: trtexec's of TensorRT 10.16 and 11.1, and octet's own. The command line, --help, the man page,
// the completions and the table of docs/guides/coming-from-trtexec.md are made from this list. Next: exec_options.h.
#pragma once
#include <CLI/CLI.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine_io.h"

namespace octet::cli::exec {

enum class FlagKind {
  kSwitch,    // no value
  kText,      // any value
  kFile,      // a path
  kInteger,   // value: "MIN..MAX"
  kNumber,    // likewise
  kChoice,    // value: "a|b|c"
  kList,      // any value; may be repeated
  kOptional,  // with or without a value
  kShared,    // declared by DeviceOptions, as everywhere
};
enum class FlagFate {
  kObeyed,   // does what its text says
  kNoted,    // accepted; its text, why nothing has to be done for it, is printed once
  kRefused,  // exit 2 with its text and its remedy: what it asks for would silently not be had
};
struct Flag {
  std::string_view group;  // heading in --help, trtexec's
  std::string_view names;  // "--versionCompatible,--vc"
  FlagKind kind;
  FlagFate fate;
  std::string_view value;  // see FlagKind; else what stands for the value in --help
  std::string_view text;
  std::string_view remedy = {};  // of kRefused
  std::string_view name() const { return names.substr(0, names.find(',')); }
};
std::span<const Flag> all_flags();  // in the order of --help

// What a command line gave, in its order.
class GivenFlags {
 public:
  struct Given {
    const Flag* flag;
    std::string value;
  };
  explicit GivenFlags(std::vector<Given> given) : given_(std::move(given)) {}
  const std::vector<Given>& all() const { return given_; }
  // By a name of the table: another one is a defect. Of a flag given twice, the last value.
  bool has(std::string_view name) const { return find(name) != nullptr; }
  std::string text(std::string_view name, std::string_view otherwise = {}) const;
  double number(std::string_view name, double otherwise) const;
  int integer(std::string_view name, int otherwise) const { return static_cast<int>(number(name, otherwise)); }
  std::vector<std::string> list(std::string_view name) const;

 private:
  const std::string* find(std::string_view name) const;
  std::vector<Given> given_;
};

// Declares the flags on `app`, those of `device` (which must outlive it) among them; the result, called after parsing, gives what was
// given.
std::function<GivenFlags()> declare_flags(CLI::App& app, DeviceOptions& device);

// The table of the guide, in Markdown.
std::string flag_table();

}  // namespace octet::cli::exec
