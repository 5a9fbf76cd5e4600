#include "base/version.h"

namespace octet {

std::string_view build_version() { return OCTET_VERSION; }

}  // namespace octet
