#include "quant/scale.h"

#include "numeric/convert.h"

namespace octet {

float e4m3_scale(float amax) { return decode_f16(encode_f16((amax <= 0x1p-24f ? 1 : amax) / kE4m3Max)); }

}  // namespace octet
