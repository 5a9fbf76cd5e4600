#include "base/error.h"
#include "profile/compare_engines.h"
#include "profile/read_report.h"

// What is read is compared and written, and read again.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace octet;
  try {
    profile::Report report = profile::read_report({reinterpret_cast<const char*>(data), size});
    profile::compare_engines(report);
    profile::read_report(profile::to_json(report));
  } catch (const Error& error) {
    if (error.code() != Code::kInvalid) __builtin_trap();
  }
  return 0;
}
