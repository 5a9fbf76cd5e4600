// What the CLI prints and how: results on stdout; messages, progress and errors on stderr. --quiet silences messages and progress.
#pragma once
#include <fmt/format.h>

#include <string>
#include <string_view>
#include <vector>

namespace octet::cli {

void set_quiet(bool quiet);
void install_sinks();  // library log and progress -> stderr: a bar on a TTY, else a line each 10 s

void print_out(std::string_view text);  // stdout, as is

// The command line as it was given, for reports that quote it: "octet exec --onnx=m.onnx", made safe for one line.
void set_command_line(int argc, char** argv);
const std::string& command_line();
template <class... Args>
void say(fmt::format_string<Args...> format, Args&&... args);  // a message line on stderr, unless quiet

// Left-aligned first column, right-aligned others, two spaces between.
class Table {
 public:
  explicit Table(std::vector<std::string> header) : rows_{std::move(header)} {}
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  std::string render() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

void say_line(std::string_view line);
template <class... Args>
void say(fmt::format_string<Args...> format, Args&&... args) {
  say_line(fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace octet::cli
