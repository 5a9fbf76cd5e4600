#include "base/error.h"

namespace octet {

Error::Error(Code code, std::string message, std::string fix) : code_(code), message_(std::move(message)), fix_(std::move(fix)) {}

Error& Error::while_(std::string context) {
  trail_.push_back(std::move(context));
  return *this;
}

std::string Error::render() const {
  std::string out = message_;
  for (const auto& line : trail_) out += "\n  while " + line;
  if (!fix_.empty()) out += "\n  fix: " + fix_;
  return out;
}

void check_failed(const char* file, int line, const char* condition, const std::string& values) {
  throw Error(Code::kInternal, fmt::format("check failed at {}:{}: {} {}", file, line, condition, values),
              "this is a defect of octet; please report it with the command line");
}

}  // namespace octet
