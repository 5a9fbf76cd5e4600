// A plain layered layout, for where graphviz is absent or gives up: every box lies below all that it reads from, in the order of its
// inputs' places, and every edge is one curve. Lines may cross boxes; nothing is minimised. Cost: edges x log of the widest layer.
#pragma once
#include "report/dot.h"

namespace octet::report {

Pattern lay_out_layered(const DotGraph& graph);  // cyclic graphs too: an edge against the order of the boxes bends upwards

}  // namespace octet::report
