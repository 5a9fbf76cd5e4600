#include "exec_flags.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <memory>

#include "base/error.h"
#include "base/text.h"

namespace octet::cli::exec {
namespace {

std::pair<double, double> range_of(std::string_view value) {
  const size_t dots = value.find("..");
  OCTET_CHECK(dots != value.npos, value);
  return {std::stod(std::string(value.substr(0, dots))), std::stod(std::string(value.substr(dots + 2)))};
}

std::string help_of(const Flag& flag) {
  std::string text(flag.text);
  if (flag.fate == FlagFate::kNoted) return "(accepted) " + text;
  if (flag.fate == FlagFate::kRefused) return fmt::format("(refused) {}: {}", text, flag.remedy);
  return text;
}

// A value read as a number before its range is checked, so that "ten" and "1e9x" are told apart from what is too large.
CLI::Validator number_in(const Flag& flag, bool whole) {
  const auto [low, high] = range_of(flag.value);
  const std::string expected = fmt::format("{} in [{:.15g}, {:.15g}]", whole ? "a whole number" : "a number", low, high);
  return CLI::Validator(
      [=](std::string& text) {
        double value = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
        const bool number = error == std::errc() && end == text.data() + text.size();
        if (number && value >= low && value <= high && (!whole || value == std::floor(value))) return std::string();
        return fmt::format("`{}` is not {}", printable(text), expected);
      },
      "");
}

// Where CLI11 puts what one flag was given.
struct Slot {
  const Flag* flag;
  CLI::Option* option = nullptr;
  std::string text = {};
  std::vector<std::string> list = {};
  bool on = false;
};

// Flags whose order counts may come again: each belongs to the --profile or --refPair before it.
bool repeats(std::string_view name) {
  constexpr std::string_view kOrdered[] = {"--profile", "--minShapes",  "--optShapes",     "--maxShapes",
                                           "--refPair", "--loadInputs", "--loadRefOutputs"};
  return std::ranges::find(kOrdered, name) != std::end(kOrdered);
}

void declare(CLI::App& app, Slot& slot) {
  const Flag& flag = *slot.flag;
  const std::string names(flag.names), help = help_of(flag);
  if (flag.kind == FlagKind::kShared) slot.option = app.get_option(std::string(flag.name()));
  else if (flag.kind == FlagKind::kSwitch) slot.option = app.add_flag(names, slot.on, help);
  else if (flag.kind == FlagKind::kList) slot.option = app.add_option(names, slot.list, help)->allow_extra_args(false);
  else slot.option = app.add_option(names, slot.text, help);
  slot.option->group(std::string(flag.group));
  if (flag.kind == FlagKind::kOptional) slot.option->expected(0, 1);
  if (repeats(flag.name())) slot.option->take_last();  // all are kept in results()
  if (flag.kind == FlagKind::kInteger || flag.kind == FlagKind::kNumber)
    slot.option->check(number_in(flag, flag.kind == FlagKind::kInteger))->type_name(flag.kind == FlagKind::kInteger ? "N" : "X");
  if (flag.kind == FlagKind::kChoice) slot.option->check(CLI::IsMember(split(flag.value, '|')));
  if (flag.kind == FlagKind::kFile) slot.option->type_name("FILE");
  if (flag.kind == FlagKind::kText || flag.kind == FlagKind::kList || flag.kind == FlagKind::kOptional)
    slot.option->type_name(std::string(flag.value.empty() ? "SPEC" : flag.value));
}

}  // namespace

const std::string* GivenFlags::find(std::string_view name) const {
  const auto known = [&](const Flag& flag) { return flag.name() == name; };
  OCTET_CHECK(std::ranges::any_of(all_flags(), known), name);
  const std::string* value = nullptr;
  for (const Given& given : given_)
    if (given.flag->name() == name) value = &given.value;
  return value;
}

std::string GivenFlags::text(std::string_view name, std::string_view otherwise) const {
  const std::string* value = find(name);
  return value ? *value : std::string(otherwise);
}

double GivenFlags::number(std::string_view name, double otherwise) const {
  const std::string* value = find(name);
  return value ? std::stod(*value) : otherwise;
}

std::vector<std::string> GivenFlags::list(std::string_view name) const {
  std::vector<std::string> values;
  for (const Given& given : given_)
    if (given.flag->name() == name) values.push_back(given.value);
  return values;
}

std::function<GivenFlags()> declare_flags(CLI::App& app, DeviceOptions& device) {
  auto slots = std::make_shared<std::vector<Slot>>();
  for (const Flag& flag : all_flags()) slots->push_back({&flag});
  for (Slot& slot : *slots) {
    // Here, so that the groups of --help keep the table's order.
    if (slot.flag->kind == FlagKind::kShared && !app.get_option_no_throw(std::string(slot.flag->name()))) device.add_to(app);
    declare(app, slot);
  }
  return [slots, &app] {
    std::map<const CLI::Option*, const Flag*> flags;
    for (const Slot& slot : *slots) flags[slot.option] = slot.flag;
    std::map<const CLI::Option*, size_t> seen;
    std::vector<GivenFlags::Given> given;
    for (const CLI::Option* option : app.parse_order()) {
      if (!flags.contains(option)) continue;
      const size_t i = seen[option]++;
      given.push_back({flags[option], i < option->results().size() ? option->results()[i] : ""});
    }
    return GivenFlags(std::move(given));
  };
}

std::string flag_table() {
  std::string text;
  std::string_view group;
  for (const Flag& flag : all_flags()) {
    if (flag.group != group)
      text += fmt::format("{}### {}\n\n| flag | | what happens |\n|---|---|---|\n", group.empty() ? "" : "\n", flag.group);
    group = flag.group;
    std::string names, about(flag.text);
    for (const auto& name : split(flag.names, ',')) names += fmt::format("{}`{}`", names.empty() ? "" : " ", name);
    if (flag.fate == FlagFate::kRefused) about += fmt::format(". Instead: {}", flag.remedy);
    for (size_t at = 0; (at = about.find('|', at)) != about.npos; at += 2) about.replace(at, 1, "\\|");
    const char* fate = flag.fate == FlagFate::kObeyed ? "" : flag.fate == FlagFate::kNoted ? "accepted" : "refused";
    text += fmt::format("| {} | {} | {} |\n", names, fate, about);
  }
  return text;
}

}  // namespace octet::cli::exec
