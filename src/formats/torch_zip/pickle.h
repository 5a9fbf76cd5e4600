// Pickle protocol 2 as data: a reader of the about 30 opcodes that torch.save uses, and a writer of the same subset.
// Nothing is ever run: GLOBAL accepts a fixed list of names, REDUCE only builds data from them, everything else is refused by
// name. Opcodes: CPython's Lib/pickletools.py. Next: torch_zip.h.
#pragma once
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "formats/blob.h"
#include "formats/torch_zip/pickle_value.h"

namespace octet {

// The bytes of the storage named `key` by a persistent id.
using StorageSource = std::function<Blob(const std::string& key)>;

// Throws Error{kInvalid} with opcode, global and byte offset. Limits: 256 MiB, 2 million opcodes, 500,000 containers and
// strings, depth 64, 16 million values when shared parts are counted. Tensors are views of their storages: contiguous only,
// else Error{kUnsupported}.
PickleValue read_pickle(const Blob& pickle, const StorageSource& storage);

// The pickle of `value`; its tensors' bytes must be stored under "0", "1", ... in the order appended to `storages`.
std::string write_pickle(const PickleValue& value, std::vector<HostTensor>& storages);

}  // namespace octet
