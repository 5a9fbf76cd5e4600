#include "base/process.h"

#include <gtest/gtest.h>

#include <csignal>

namespace octet {
namespace {

using End = ProcessResult::End;
using namespace std::chrono_literals;

ProcessResult run(std::vector<std::string> argv, std::string_view input = {}, const ProcessLimits& limits = {}) {
  return run_process(argv, input, limits);
}

TEST(Process, GivesInputAndTakesOutput) {
  const std::string input(3'000'000, 'x');  // more than any pipe holds
  const ProcessResult result = run({"cat"}, input);
  EXPECT_TRUE(result.ok());
  EXPECT_EQ(result.out, input);
}

TEST(Process, NothingPassesThroughAShell) { EXPECT_EQ(run({"echo", "$HOME; `id`", "*"}).out, "$HOME; `id` *\n"); }

TEST(Process, ReportsHowItEnded) {
  const ProcessResult failed = run({"sh", "-c", "echo why >&2; exit 3"});
  EXPECT_EQ(failed.end, End::kExited);
  EXPECT_EQ(failed.code, 3);
  EXPECT_EQ(failed.err, "why\n");
  const ProcessResult killed = run({"sh", "-c", "kill -TERM $$"});
  EXPECT_EQ(killed.end, End::kSignalled);
  EXPECT_EQ(killed.code, SIGTERM);
  EXPECT_EQ(run({"octet-no-such-program"}).end, End::kNotFound);
}

TEST(Process, ItMayIgnoreItsInput) { EXPECT_TRUE(run({"true"}, std::string(3'000'000, 'x')).ok()); }

TEST(Process, IsKilledAtItsLimits) {
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(run({"sleep", "60"}, {}, {.time = 50ms}).end, End::kTimedOut);
  EXPECT_EQ(run({"sh", "-c", "exec >&- 2>&-; sleep 60"}, {}, {.time = 50ms}).end, End::kTimedOut);
  EXPECT_EQ(run({"yes"}, {}, {.output_bytes = 1000}).end, End::kTooMuchOutput);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 30s);
}

TEST(Process, RunsInTheCLocale) { EXPECT_EQ(run({"sh", "-c", "echo $LC_ALL"}).out, "C\n"); }

}  // namespace
}  // namespace octet
