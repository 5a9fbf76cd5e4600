#include "base/log.h"

namespace octet {
namespace {
LogSink& sink() {
  static LogSink value;
  return value;
}
Progress& progress_sink() {
  static Progress value;
  return value;
}
}  // namespace

void set_log_sink(LogSink value) { sink() = std::move(value); }
void log_line(Level level, std::string_view line) {
  if (sink()) sink()(level, line);
}
void set_progress_sink(Progress value) { progress_sink() = std::move(value); }
void progress(std::string_view what, int64_t done, int64_t total) {
  if (progress_sink()) progress_sink()(what, done, total);
}

}  // namespace octet
