// The one exception of octet. Bad input throws it at load, compile and API edges; callers add context as it rises.
// An expected "no" is a value with a reason (see Refusal); a broken invariant is OCTET_CHECK. Next: base/log.h.
#pragma once
#include <fmt/format.h>

#include <exception>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace octet {

// The values are the CLI's exit codes.
enum class Code : int {
  kUsage = 2,        // wrong option or combination of options
  kInvalid = 3,      // an unreadable or invalid file: parse errors, type errors, damaged plans
  kUnsupported = 4,  // valid, but an op, type or target octet does not support
  kIo = 5,           // missing file, permission, disk
  kGate = 6,         // a requested gate failed (accuracy, compare threshold, --require-fp8)
  kInternal = 70,    // a defect of octet
};

class Error : public std::exception {
 public:
  // `message` says what is wrong and where; `fix` (may be empty) the one change that mends it.
  Error(Code code, std::string message, std::string fix = {});

  Error& while_(std::string context);  // appends one "while ..." line to the trail
  Code code() const { return code_; }
  const std::string& message() const { return message_; }
  const std::string& fix() const { return fix_; }
  const std::vector<std::string>& trail() const { return trail_; }
  std::string render() const;  // "WHAT\n  while ...\n  fix: ..."; the CLI prefixes "octet: error: "
  const char* what() const noexcept override { return message_.c_str(); }

 private:
  Code code_;
  std::string message_, fix_;
  std::vector<std::string> trail_;
};

// Throws Error{code, fmt(args...)}.
template <class... Args>
[[noreturn]] void fail(Code code, fmt::format_string<Args...> format, Args&&... args) {
  throw Error(code, fmt::format(format, std::forward<Args>(args)...));
}

// Runs `body`; an Error that passes through gains the context "while CONTEXT()".
template <class Context, class Body>
decltype(auto) with_context(Context&& context, Body&& body) {
  try {
    return body();
  } catch (Error& error) {
    error.while_(context());
    throw;
  }
}

// An expected "no": empty reason = yes. Printed by --explain.
struct Refusal {
  std::string reason;
  explicit operator bool() const { return !reason.empty(); }
};

[[noreturn]] void check_failed(const char* file, int line, const char* condition, const std::string& values);

}  // namespace octet

// A broken invariant: throws Error{kInternal} with file, line and the values given (fmt-formattable).
#define OCTET_CHECK(condition, ...)                                                                  \
  do {                                                                                               \
    if (!(condition)) ::octet::check_failed(__FILE__, __LINE__, #condition, ::octet::join_values(__VA_ARGS__)); \
  } while (0)

namespace octet {
template <class... Args>
std::string join_values(const Args&... args) {
  std::string out;
  ((out += fmt::format("{} ", args)), ...);
  return out;
}
}  // namespace octet
