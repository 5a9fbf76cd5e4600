#include <cstdio>
#include <ctime>

#include "console.h"
#include "exec.h"

namespace octet::cli::exec {

void line(char level, std::string_view text) {
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  localtime_r(&now, &local);
  char stamp[32];
  std::strftime(stamp, sizeof stamp, "[%m/%d/%Y-%H:%M:%S]", &local);
  print_out(fmt::format("{} [{}] {}\n", stamp, level, text));
  std::fflush(stdout);  // a log is read while it runs, and in order with stderr
}

}  // namespace octet::cli::exec
