#include "self_check.h"
namespace octet {
int self_check(const std::shared_ptr<const plan::Plan>&, int) { return 0; }
}  // namespace octet
