// The one tile configuration of every AMX kernel: eight tiles of 16 rows of 64 bytes. Include only from _amx files.
#pragma once
#include <cstdint>

namespace octet::cpu {
namespace {

struct alignas(64) TileConfig {
  uint8_t palette = 1, start_row = 0, reserved[14] = {};
  uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};
constexpr TileConfig kTileConfig;  // in memory for good: the intrinsic tells the compiler of its first 8 bytes only

}  // namespace
}  // namespace octet::cpu
