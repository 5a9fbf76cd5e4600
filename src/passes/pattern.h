// Questions that the fusions ask of a graph. Writers spell one formula in many ways: constants on either side, Casts in between.
#pragma once
#include <optional>

#include "ir/graph.h"

namespace octet::passes {

// The element of a constant of one element, of any numeric type.
std::optional<double> scalar_of(const Graph& graph, ValueId value);
// What `value` was before any Casts from float to float.
ValueId before_casts(const Graph& graph, ValueId value);
const Node* producer_before_casts(const Graph& graph, ValueId value);

struct Factor {
  ValueId x = kNone;
  double c = 1;
};
// If `value` is x * c or x / c' with a scalar constant: x and the factor.
std::optional<Factor> as_scaled(const Graph& graph, ValueId value);
// If `value` is x + c with a scalar constant: x and the addend.
std::optional<Factor> as_shifted(const Graph& graph, ValueId value);
// Whether `value` is the constant `wanted`, or its inverse's inverse, as f64, f32, f16 or bf16 hold it.
bool near(double value, double wanted);

// The only reader of `value`, nullptr if it has none, several, or is an output of the graph. `consumers`: ops::data_readers.
const Node* only_reader(const Graph& graph, const std::vector<std::vector<NodeId>>& consumers, ValueId value, NodeId* id);

// `into` stands for every node from the producer of `value` back to `x`, which all of them depend on (or on constants).
void take_sources(const Graph& graph, ValueId value, ValueId x, Node& into);

}  // namespace octet::passes
