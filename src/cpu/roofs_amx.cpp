#include <immintrin.h>

#include "cpu/roofs_probes.h"
#include "cpu/simd/tile_config_amx.h"

namespace octet::cpu {

void probe_amx(int rounds) {
  _tile_loadconfig(&kTileConfig);
  _tile_zero(4);
  _tile_zero(5);
  _tile_zero(6);
  _tile_zero(7);
  for (int i = 0; i < rounds; ++i) {
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
  _tile_release();
}

}  // namespace octet::cpu
