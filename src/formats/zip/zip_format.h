// Numbers of the zip format shared by the reader and the writer (PKWARE APPNOTE 6.3).
#pragma once
#include <cstddef>
#include <cstdint>

namespace octet {

inline constexpr uint32_t kLocalSignature = 0x04034b50, kCentralSignature = 0x02014b50, kEndSignature = 0x06054b50;
inline constexpr uint32_t kEnd64Signature = 0x06064b50, kLocatorSignature = 0x07064b50;
inline constexpr size_t kLocalSize = 30, kCentralSize = 46, kEndSize = 22, kEnd64Size = 56, kLocatorSize = 20;
inline constexpr uint16_t kStored = 0, kDeflated = 8;
inline constexpr uint16_t kDeflateOptions = 0x0006, kHasDescriptor = 0x0008, kUtf8 = 0x0800;  // general purpose flags
inline constexpr uint16_t kZip64Extra = 0x0001;
inline constexpr uint16_t kFull16 = 0xffff;  // "see the zip64 record"
inline constexpr uint32_t kFull32 = 0xffffffff;

}  // namespace octet
