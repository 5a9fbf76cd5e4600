// octet profile: what each step of an engine costs, what it ran as and why not better; two or more engines side by side. What is
// measured: profile_engine.cpp; what is said of it: src/profile/; how it is drawn: src/report/.
#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "console.h"
#include "profile/compare_engines.h"
#include "profile/read_report.h"
#include "profile/trace.h"
#include "profile_engine.h"
#include "profile_text.h"
#include "report/html.h"
#include "subcommand.h"

namespace octet::cli {
namespace {

constexpr int kTracedRuns = 5;
constexpr size_t kMostEngines = 26;  // A to Z

struct Options {
  std::string file, json, html, trace;
  std::vector<std::string> against;
  int64_t top = 10;
  ProfileOptions profile;
};

// A saved report: JSON. Neither an engine nor an ONNX file begins so.
bool is_report(const std::string& file) {
  std::error_code unknown;
  char first = 0;
  return std::filesystem::is_regular_file(file, unknown) && std::ifstream(file) >> first && first == '{';
}

void add_engine(profile::Report& report, profile::Engine engine) {
  const size_t number = report.engines.size();
  if (number == kMostEngines) throw Error(Code::kUsage, fmt::format("a report holds {} engines at most", kMostEngines));
  const char letter = static_cast<char>('A' + number);
  // "A e4m3" of a saved report may stand in another place here.
  if (engine.label.size() > 1 && engine.label[1] == ' ') engine.label[0] = letter;
  else engine.label = fmt::format("{} {}", letter, engine.label);
  report.engines.push_back(std::move(engine));
}

void add_saved(profile::Report& report, const std::string& file) {
  with_context([&] { return "reading " + file; },
               [&] {
                 profile::Report saved = profile::read_report(MappedFile::open(file)->text());
                 for (profile::Engine& engine : saved.engines) add_engine(report, std::move(engine));
               });
}

// Engines are run, saved reports read, in the order of the command line.
std::vector<profile::StepTimes> collect(const Options& o, const std::vector<std::string>& files, profile::Report& report) {
  std::vector<profile::StepTimes> times;
  for (const std::string& file : files) {
    if (is_report(file)) {
      add_saved(report, file);
      continue;
    }
    progress("profiling engines", static_cast<int64_t>(report.engines.size()), static_cast<int64_t>(files.size()));
    ProfiledEngine one = profile_engine(file, report.engines.size(), o.profile);
    add_engine(report, std::move(one.data));
    times.push_back(std::move(one.times));
  }
  profile::compare_engines(report);
  return times;
}

int profile_files(Options& o) {
  if (!o.trace.empty()) o.profile.steps.traced_runs = kTracedRuns;
  o.profile.steps.seconds = o.profile.timing.duration_s;
  std::vector<std::string> files{o.file};
  files.insert(files.end(), o.against.begin(), o.against.end());
  if (const auto saved = std::ranges::find_if(files, is_report); saved != files.end() && !o.trace.empty())
    throw Error(Code::kUsage, "--trace shows runs, and " + *saved + " is a saved report: nothing of it is run");
  profile::Report report;
  const std::vector<profile::StepTimes> times = collect(o, files, report);
  if (o.json == "-") print_out(profile::to_json(report));
  else print_out(profile_text(report, o.top));
  const auto write = [](const std::string& path, const std::string& text) {
    write_text(path, text);
    say("wrote {}", path);
  };
  if (!o.json.empty() && o.json != "-") write(o.json, profile::to_json(report));
  if (!o.html.empty()) write(o.html, report::profile_html(report));
  if (!o.trace.empty()) write(o.trace, profile::to_trace(report, times));
  return 0;
}

}  // namespace

Run add_profile(CLI::App& app) {
  auto o = std::make_shared<Options>();
  auto& timing = o->profile.timing;
  app.add_option("engine", o->file, "engine, ONNX file, or a report that --json saved")->required()->type_name("PATH");
  app.add_option("--against", o->against, "another one beside it, in this order (may be repeated)")
      ->type_name("PATH")
      ->allow_extra_args(false)
      ->expected(1, 25);
  app.add_option("--shapes", o->profile.shapes, "input shapes, as exec takes them: name:128x3x224x224");
  app.add_option("--batch", o->profile.batch, "items of the random inputs")->check(CLI::Range(1, 1 << 20))->capture_default_str();
  app.add_option("--input,-i", o->profile.inputs, "NAME=FILE.npy, once an input (default: random, as exec times with)")
      ->allow_extra_args(false);
  app.add_option("--iterations", timing.iterations, "at least this many timed runs")->check(CLI::Range(1, 1 << 30))->capture_default_str();
  app.add_option("--duration", timing.duration_s, "at least this many seconds of timed runs, and about as many of profiled ones")
      ->check(CLI::Range(0.0, 86400.0))
      ->capture_default_str();
  app.add_option("--warmUp", timing.warm_up_ms, "milliseconds before timing starts")->check(CLI::Range(0.0, 1e7))->capture_default_str();
  app.add_option("--json", o->json, "write the report as JSON, schema octet.profile/1; - for stdout instead of the tables")
      ->type_name("FILE");
  app.add_option("--html", o->html, "write the report as one offline HTML page")->type_name("FILE");
  app.add_option("--trace", o->trace, "write a trace for ui.perfetto.dev or chrome://tracing")->type_name("FILE");
  app.add_flag("--stats", o->profile.stats, "saturation and clip rates of every FP8 site, against the exact reference");
  app.add_option("--stats-rows", o->profile.stats_rows, "output rows a step that --stats judges, spread evenly")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  app.add_option("--top", o->top, "how many of the slowest steps to list")->check(CLI::Range(0, 1 << 20))->capture_default_str();
  o->profile.device.add_to(app);
  return [o, &app] {
    o->profile.command = "octet profile";
    for (const CLI::Option* option : app.get_options()) {
      const bool named = !option->get_lnames().empty(), flag = option->get_expected_max() == 0;
      for (size_t i = 0; option->count() > 0 && i < option->results().size(); ++i)
        o->profile.command += (named ? " --" + option->get_lnames()[0] + (flag ? "" : "=") : " ") + (flag ? "" : option->results()[i]);
    }
    return profile_files(*o);
  };
}

}  // namespace octet::cli
