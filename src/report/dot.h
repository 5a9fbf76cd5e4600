// Layered layout by graphviz's `dot`, run as a child. Names and labels never reach it: nodes are numbers with a size.
#pragma once
#include <span>

#include "report/drawing.h"

namespace octet::report {

// One graph: boxes of these sizes, edges between them; kIn and kOut stand for points at its top and bottom edge.
struct DotGraph {
  struct Size {
    float width, height;
    friend auto operator<=>(const Size&, const Size&) = default;
  };
  std::vector<Size> sizes;
  std::vector<std::pair<int32_t, int32_t>> edges;  // each pair once, no loops
  friend auto operator<=>(const DotGraph&, const DotGraph&) = default;
};

// All of them in one run of dot; by lay_out_layered() where dot is absent, fails or takes too long, and the note says which.
struct Layout {
  std::vector<Pattern> patterns;
  std::string note;
};
Layout lay_out(std::span<const DotGraph> graphs);

std::string dot_text(const DotGraph& graph);                                               // what dot reads
std::vector<Pattern> read_plain(std::string_view text, std::span<const DotGraph> graphs);  // what `dot -Tplain` writes; throws Error{kIo}

}  // namespace octet::report
