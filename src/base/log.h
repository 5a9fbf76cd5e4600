// Where the library's messages go. The library never prints: a sink set by the caller does.
#pragma once
#include <fmt/format.h>

#include <functional>
#include <string>
#include <string_view>

namespace octet {

enum class Level { kDebug, kInfo, kWarning, kError };
using LogSink = std::function<void(Level, std::string_view)>;

void set_log_sink(LogSink sink);  // not thread-safe against running work: set it once at start
void log_line(Level level, std::string_view line);

template <class... Args>
void log(Level level, fmt::format_string<Args...> format, Args&&... args) {
  log_line(level, fmt::format(format, std::forward<Args>(args)...));
}

// Progress of long work: done of total units. The CLI draws a bar, or a line each 10 s.
using Progress = std::function<void(std::string_view what, int64_t done, int64_t total)>;
void set_progress_sink(Progress sink);
void progress(std::string_view what, int64_t done, int64_t total);

}  // namespace octet
