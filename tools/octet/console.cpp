#include "console.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <mutex>

#include "base/log.h"
#include "base/text.h"

namespace octet::cli {
namespace {

bool g_quiet = false;
std::string g_command_line;

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

// Progress of one kind of work at a time; drawn only once it has lasted two seconds.
struct ProgressLine {
  std::string what;
  double begin = 0, last = 0;
  bool drawn = false;

  void update(std::string_view name, int64_t done, int64_t total) {
    const double t = now();
    if (name != what) what = name, begin = t, last = t, drawn = false;
    const bool tty = ::isatty(STDERR_FILENO) != 0;
    const bool finished = done >= total;
    if (t - begin < 2 || (!finished && t - last < (tty ? 0.1 : 10))) return;
    last = t;
    const double left = done > 0 ? (t - begin) / static_cast<double>(done) * static_cast<double>(total - done) : 0;
    fmt::print(stderr, "{}{}: {}/{} ({:.0f} %), {:.0f} s left{}", tty ? "\r\x1b[K" : "", what, done, total,
               100.0 * static_cast<double>(done) / static_cast<double>(std::max<int64_t>(total, 1)), left, tty && !finished ? "" : "\n");
    std::fflush(stderr);
  }
};

// Display width: bytes that start a UTF-8 sequence.
size_t width(const std::string& text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

}  // namespace

void set_quiet(bool quiet) { g_quiet = quiet; }

void install_sinks() {
  set_log_sink([](Level level, std::string_view line) {
    if (level == Level::kDebug || (g_quiet && level == Level::kInfo)) return;
    fmt::print(stderr, "{}{}\n", level == Level::kWarning ? "octet: warning: " : "", line);
  });
  set_progress_sink([](std::string_view what, int64_t done, int64_t total) {
    static ProgressLine line;
    if (!g_quiet) line.update(what, done, total);
  });
}

void set_command_line(int argc, char** argv) {
  g_command_line = "octet";
  for (int i = 1; i < argc; ++i) g_command_line += " " + printable(argv[i], 4096);
}
const std::string& command_line() { return g_command_line; }

void print_out(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stdout); }

void say_line(std::string_view line) {
  if (!g_quiet) fmt::print(stderr, "{}\n", line);
}

std::string Table::render() const {
  std::vector<size_t> widths;
  for (const auto& row : rows_)
    for (size_t i = 0; i < row.size(); ++i) {
      if (widths.size() <= i) widths.push_back(0);
      widths[i] = std::max(widths[i], width(row[i]));
    }
  std::string out;
  for (const auto& row : rows_) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      const std::string pad(widths[i] - width(row[i]), ' ');
      line += (i ? "  " : "") + (i ? pad + row[i] : row[i] + pad);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  }
  return out;
}

}  // namespace octet::cli
