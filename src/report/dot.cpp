#include "report/dot.h"

#include <charconv>

#include "base/error.h"
#include "base/log.h"
#include "base/process.h"
#include "base/text.h"
#include "report/layered.h"

namespace octet::report {
namespace {

constexpr float kPixels = 72;  // to an inch: dot's unit of lengths

std::string dot_name(int32_t item) { return item == kIn ? "in" : item == kOut ? "out" : fmt::format("n{}", item); }

// Reads `dot -Tplain`: lines of words, of which none is quoted here, since every name and label is ours.
class PlainReader {
 public:
  explicit PlainReader(std::string_view text) : rest_(text) {}

  std::string_view word() {
    while (!rest_.empty() && (rest_.front() == ' ' || rest_.front() == '\n')) rest_.remove_prefix(1);
    const size_t end = std::min(rest_.find_first_of(" \n"), rest_.size());
    const std::string_view out = rest_.substr(0, end);
    rest_.remove_prefix(end);
    return out;
  }
  void skip_line() { rest_.remove_prefix(std::min(rest_.find('\n'), rest_.size())); }
  float pixels() { return number<float>() * kPixels; }
  template <class T>
  T number() {
    const std::string_view text = word();
    T value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) fail(Code::kIo, "graphviz wrote `{}` for a number", printable(text, 40));
    return value;
  }
  int32_t item(size_t count) {
    std::string_view name = word();
    if (name == "in") return kIn;
    if (name == "out") return kOut;
    uint32_t index = 0;
    if (name.starts_with("n")) name.remove_prefix(1);
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), index);
    if (error != std::errc() || end != name.data() + name.size() || index >= count)
      fail(Code::kIo, "graphviz wrote of an unknown node `{}`", printable(name, 40));
    return static_cast<int32_t>(index);
  }

 private:
  std::string_view rest_;
};

Curve read_curve(PlainReader& in, size_t count, float height) {
  Curve curve;
  curve.from = in.item(count), curve.to = in.item(count);
  const auto points = in.number<uint32_t>();
  if (points < 4 || points % 3 != 1 || points > 10'000) fail(Code::kIo, "graphviz wrote a curve of {} points", points);
  for (uint32_t i = 0; i < points; ++i) {
    curve.points.push_back(in.pixels());
    curve.points.push_back(height - in.pixels());
  }
  return curve;
}

Pattern read_graph(PlainReader& in, const DotGraph& graph) {
  Pattern out;
  if (in.word() != "graph") fail(Code::kIo, "graphviz wrote fewer layouts than graphs");
  in.word();  // scale
  out.width = in.pixels(), out.height = in.pixels();
  out.boxes.resize(graph.sizes.size());
  for (;;) {
    const std::string_view what = in.word();
    if (what == "stop") return out;
    if (what == "node") {
      const int32_t item = in.item(graph.sizes.size());
      const float x = in.pixels(), y = out.height - in.pixels();
      if (item >= 0)
        out.boxes[static_cast<size_t>(item)] = {x, y, graph.sizes[static_cast<size_t>(item)].width,
                                                graph.sizes[static_cast<size_t>(item)].height};
    } else if (what == "edge") {
      out.curves.push_back(read_curve(in, graph.sizes.size(), out.height));
    } else {
      fail(Code::kIo, "graphviz wrote `{}` where a node, an edge or the end was due", printable(what, 40));
    }
    in.skip_line();
  }
}

// Throws Error{kIo}.
std::vector<Pattern> by_dot(std::span<const DotGraph> graphs) {
  std::string text;
  for (const DotGraph& graph : graphs) text += dot_text(graph);
  using End = ProcessResult::End;
  const ProcessLimits limits;
  const std::vector<std::string> command{"dot", "-Tplain"};
  const ProcessResult result = run_process(command, text, limits);
  if (result.end == End::kNotFound) fail(Code::kIo, "graphviz's `dot` is not installed (Debian: `apt-get install graphviz`)");
  if (result.end == End::kTimedOut)
    fail(Code::kIo, "graphviz's `dot` did not finish {} graphs in {} s", graphs.size(), limits.time.count() / 1000);
  if (!result.ok()) fail(Code::kIo, "graphviz's `dot` failed ({}): {}", result.code, printable(result.err));
  return read_plain(result.out, graphs);
}

}  // namespace

std::string dot_text(const DotGraph& graph) {
  std::string out = "digraph { nodesep=0.22 ranksep=0.32 edge [arrowhead=none] node [shape=box fixedsize=true label=\"\"]\n";
  const float point = 0.02f * kPixels;
  bool in = false, out_used = false;
  for (const auto& [from, to] : graph.edges) in |= from == kIn, out_used |= to == kOut;
  const auto port = [&](int32_t item, std::string_view rank) {
    out += fmt::format("{{ rank={}; {} [width={:.3f} height={:.3f}] }}\n", rank, dot_name(item), point / kPixels, point / kPixels);
  };
  if (in) port(kIn, "source");
  if (out_used) port(kOut, "sink");
  for (size_t i = 0; i < graph.sizes.size(); ++i)
    out += fmt::format("n{} [width={:.4f} height={:.4f}]\n", i, graph.sizes[i].width / kPixels, graph.sizes[i].height / kPixels);
  for (const auto& [from, to] : graph.edges) out += fmt::format("{}->{}\n", dot_name(from), dot_name(to));
  return out + "}\n";
}

std::vector<Pattern> read_plain(std::string_view text, std::span<const DotGraph> graphs) {
  PlainReader in(text);
  std::vector<Pattern> out;
  for (const DotGraph& graph : graphs) out.push_back(read_graph(in, graph));
  return out;
}

Layout lay_out(std::span<const DotGraph> graphs) {
  try {
    return {by_dot(graphs), ""};
  } catch (const Error& error) {
    if (error.code() != Code::kIo) throw;
    Layout plain{{}, fmt::format("{}: the graphs are laid out plainly", error.message())};
    log(Level::kWarning, "{}", plain.note);
    for (const DotGraph& graph : graphs) plain.patterns.push_back(lay_out_layered(graph));
    return plain;
  }
}

}  // namespace octet::report
