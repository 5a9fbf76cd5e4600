// A profile report as one offline HTML file. docs/guides/report.md says how to read it; what it holds is octet.profile/1.
#pragma once
#include <nlohmann/json.hpp>
#include <string>

#include "profile/report.h"
#include "report/drawing.h"

namespace octet::report {

using Json = nlohmann::ordered_json;

std::string profile_html(const profile::Report& report);

// {patterns: [{w, h, boxes: [x, y, w, h, ...], curves: [[from, to, [x, y, ...]], ...]}], blocks: [{name, pattern, nodes}], items, top,
// note}: the members of Drawing, rounded to whole pixels.
Json json_of(const Drawing& drawing);

// How large a node is drawn: a quantizer is a pill, any other operator a card.
Shape::Node onnx_node(std::string_view op, std::string block);

}  // namespace octet::report
