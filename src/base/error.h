// octet::Error (declared in the public octet/octet.h, with Code) is the one exception of octet. Bad input throws it at load,
// compile and API edges; callers add context as it rises.
// An expected "no" is a value with a reason (see Refusal); a broken invariant is OCTET_CHECK. Next: base/log.h.
#pragma once
#include <fmt/format.h>

#include <string>
#include <string_view>
#include <utility>

#include "octet/octet.h"

namespace octet {

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
#define OCTET_CHECK(condition, ...)                                                                             \
  do {                                                                                                          \
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
