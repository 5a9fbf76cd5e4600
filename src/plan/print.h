// The text of a plan, for inspect, --dump-after=lower and goldens: bindings, then one line a step. One way: it is not parsed.
//
//   plan image creator octet 0.1.0 arena 1052672 weights 2
//   input pixel_values: f16[3,224,224]
//   0 vision.qkv: gemm:e4m3xe4m3->e4m3:257x3072x1024+bias x1 -> qkv e4m3[257,3072]@526336 ; output is f16: no Q follows
//   output image_embeds: f16[768]
#pragma once
#include <string>

#include "plan/plan.h"

namespace octet::plan {
std::string print(const Plan& plan);
}
