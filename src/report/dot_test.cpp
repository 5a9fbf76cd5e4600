#include "report/dot.h"

#include <gmock/gmock.h>
#include <stdlib.h>

#include "base/error.h"
#include "report/layered.h"

namespace octet::report {
namespace {

using testing::HasSubstr;

const DotGraph kDiamond{{{40, 20}, {40, 20}, {60, 20}, {40, 20}}, {{kIn, 0}, {0, 1}, {0, 2}, {1, 3}, {2, 3}, {3, kOut}}};

// Boxes do not overlap, every edge runs downwards, and curves end where boxes do.
void expect_legible(const Pattern& p, const DotGraph& graph) {
  ASSERT_EQ(p.boxes.size(), graph.sizes.size());
  for (size_t i = 0; i < p.boxes.size(); ++i) {
    EXPECT_EQ(p.boxes[i].width, graph.sizes[i].width);
    EXPECT_GE(p.boxes[i].x, p.boxes[i].width / 2 - 1);
    EXPECT_LE(p.boxes[i].x, p.width - p.boxes[i].width / 2 + 1);
    for (size_t k = 0; k < i; ++k)
      EXPECT_TRUE(std::abs(p.boxes[i].x - p.boxes[k].x) >= (p.boxes[i].width + p.boxes[k].width) / 2 - 1 ||
                  std::abs(p.boxes[i].y - p.boxes[k].y) >= (p.boxes[i].height + p.boxes[k].height) / 2 - 1);
  }
  ASSERT_EQ(p.curves.size(), graph.edges.size());
  for (const Curve& c : p.curves) {
    ASSERT_TRUE(c.points.size() >= 8 && c.points.size() % 6 == 2) << c.points.size();
    EXPECT_LT(c.points[1], c.points.back());
    if (c.from >= 0) {
      EXPECT_NEAR(c.points[1], p.boxes[static_cast<size_t>(c.from)].y + 10, 8);
    }
    if (c.to >= 0) {
      EXPECT_NEAR(c.points.back(), p.boxes[static_cast<size_t>(c.to)].y - 10, 8);
    }
  }
}

TEST(Dot, LaysOutEveryGraphInOneRun) {
  const std::vector<DotGraph> graphs{kDiamond, {{{10, 20}}, {}}, kDiamond};
  const Layout layout = lay_out(graphs);
  ASSERT_EQ(layout.note, "");
  ASSERT_EQ(layout.patterns.size(), 3u);
  for (size_t i = 0; i < 3; ++i) expect_legible(layout.patterns[i], graphs[i]);
}

TEST(Dot, WhereItIsMissingALayeredLayoutAndTheReason) {
  const std::string path = ::getenv("PATH");
  ::setenv("PATH", "/nonexistent", 1);
  const Layout layout = lay_out(std::vector<DotGraph>{kDiamond});
  ::setenv("PATH", path.c_str(), 1);
  EXPECT_THAT(layout.note, HasSubstr("not installed"));
  expect_legible(layout.patterns.at(0), kDiamond);
}

TEST(Dot, RefusesWhatItDoesNotKnow) {
  const std::vector<DotGraph> graphs{{{{10, 20}}, {}}};
  const std::string good = "graph 1 1 1\nnode n0 0.5 0.5 0.1 0.2 \"\" solid box black lightgrey\nstop\n";
  EXPECT_EQ(read_plain(good, graphs).size(), 1u);
  for (const char* bad : {"", "graph 1 1\n", "graph 1 1 1\nnode n1 0 0\nstop\n", "graph 1 1 1\nnode n0 x 0\nstop\n", "graph 1 1 1\nnod",
                          "graph 1 1 1\nedge n0 n0 3 0 0 1 1 2 2\nstop\n", "graph 1 1 1\nedge n0 n0 4 0 0 1\nstop\n"})
    EXPECT_THROW(read_plain(bad, graphs), Error) << bad;
}

TEST(Layered, ADiamond) { expect_legible(lay_out_layered(kDiamond), kDiamond); }

TEST(Layered, CyclesEndToo) {
  const Pattern p = lay_out_layered({{{10, 10}, {10, 10}, {10, 10}}, {{0, 1}, {1, 2}, {2, 1}}});
  EXPECT_EQ(p.curves.size(), 3u);
  EXPECT_GT(p.boxes[1].y, p.boxes[0].y);
}

TEST(Layered, AHundredThousandBoxesTakeNoTime) {
  DotGraph chain;
  for (int32_t i = 0; i < 100'000; ++i) {
    chain.sizes.push_back({10, 10});
    if (i > 0) chain.edges.emplace_back(i - 1, i), chain.edges.emplace_back(0, i);
  }
  EXPECT_GT(lay_out_layered(chain).height, 1e6f);
}

}  // namespace
}  // namespace octet::report
