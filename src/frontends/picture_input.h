// An image tower that takes the bytes of a picture, u8 [batch, H, W, 3] as decoders write them, and normalises them itself:
// Cast, scale, - mean, / std, Cast, Transpose. Cast comes first, since TensorRT lets nothing else read a UINT8 input; the arithmetic is
// that of image/preprocess.h, in f32 with one rounding to the tower's type at the end, so the tower sees the bits it sees of floats.
#pragma once
#include <string>

#include "frontends/tower_builder.h"
#include "image/preprocess.h"

namespace octet {

// Adds the input `name`; returns the values [batch, 3, size, size] in the tower's type. Throws Error{kInvalid} if the preprocessing makes
// pictures of another size or the tower takes other than 3 channels, Error{kUnsupported} where no f32 nodes give its values.
ValueId uint8_picture(TowerBuilder& b, const ClipPreprocess& preprocess, const std::string& name, const ClipConfig& config);

}  // namespace octet
