// Files that torch.save writes: a zip of stored entries NAME/data.pkl, NAME/data/KEY (one per tensor storage), NAME/version,
// NAME/byteorder. Read as data, never run: see pickle.h. ModelOpt's state is such a file: see quant/state.h.
#pragma once
#include <filesystem>

#include "formats/blob.h"
#include "formats/torch_zip/pickle_value.h"

namespace octet {

// Throws Error{kInvalid} for anything damaged or not plain data; Error{kUnsupported} for the formats before torch 1.6.
PickleValue read_torch_zip(const std::filesystem::path& path);
PickleValue parse_torch_zip(const Blob& file);
// Atomic, the same bytes at each call. torch.load reads it (weights_only=True too); the inner name is that of the file, less
// its extension, as torch.save does.
void write_torch_zip(const std::filesystem::path& path, const PickleValue& value);

}  // namespace octet
