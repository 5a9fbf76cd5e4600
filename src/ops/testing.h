// For the operators' tests: tensors from numbers, an operator run on them, the rules run on a graph in text form.
#pragma once
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "ir/graph.h"
#include "ir/text.h"
#include "ops/list.h"

namespace octet::optest {

inline constexpr double kInf = std::numeric_limits<double>::infinity();
inline constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

// Each number rounded once to the type.
inline HostTensor tensor(DType dtype, std::vector<int64_t> dims, const std::vector<double>& values) {
  HostTensor out(dtype, std::move(dims));
  EXPECT_EQ(out.count(), static_cast<int64_t>(values.size()));
  for (size_t i = 0; i < values.size(); ++i) out.set(static_cast<int64_t>(i), values[i]);
  return out;
}
inline HostTensor scalar(DType dtype, double value) { return tensor(dtype, {}, {value}); }
inline HostTensor ints(const std::vector<int64_t>& values) {
  return HostTensor::of<int64_t>(DType::i64, {static_cast<int64_t>(values.size())}, values);
}
inline HostTensor ints(std::vector<int64_t> dims, const std::vector<int64_t>& values) { return ints(values).reshaped(std::move(dims)); }

template <class T>
std::vector<HostTensor> run_all(const T& op, const std::vector<std::optional<HostTensor>>& in, int opset = 20) {
  std::vector<const HostTensor*> pointers;
  for (const auto& one : in) pointers.push_back(one ? &*one : nullptr);
  return op_def<T>().reference(&op, pointers, opset);
}
template <class T>
HostTensor run(const T& op, const std::vector<std::optional<HostTensor>>& in, int opset = 20) {
  return run_all(op, in, opset).at(0);
}

// Equality of type, dimensions and bits (any NaN equals any NaN).
MATCHER_P(Is, expected, describe(expected)) {
  bool same = arg.dtype() == expected.dtype() && arg.dims() == expected.dims();
  *result_listener << describe(arg) << " {";
  for (int64_t i = 0; i < arg.count(); ++i) {
    *result_listener << (i > 0 ? ", " : "") << arg.at(i);
    const bool both_nan = same && arg.at(i) != arg.at(i) && expected.at(i) != expected.at(i);
    same = same && (both_nan || (arg.at(i) == expected.at(i) && arg.at_int(i) == expected.at_int(i)));
  }
  *result_listener << "}";
  return same;
}
inline auto Gives(DType dtype, std::vector<int64_t> dims, const std::vector<double>& values) {
  return Is(tensor(dtype, std::move(dims), values));
}

// A graph after its rules ran.
struct Checked {
  Graph graph;
  std::vector<TypeViolation> violations;

  std::vector<std::string> rules() const {
    std::vector<std::string> out;
    for (const auto& one : violations) out.push_back(one.rule);
    return out;
  }
  std::string type(const std::string& name) const { return to_string(*graph.value(graph.find(name)).type); }
  std::string elements(const std::string& name) const {
    const auto& known = graph.value(graph.find(name)).shape_value;
    return known ? to_string(*known) : "unknown";
  }
};
// `body` is the text of a graph less its first line.
inline Checked check(const std::string& body, int opset = 20) {
  Checked out{parse_graph("graph t opset " + std::to_string(opset) + "\n" + body, find_op), {}};
  out.violations = infer_types(out.graph);
  return out;
}
// The rules that `body` breaks, in order.
inline std::vector<std::string> broken(const std::string& body, int opset = 20) { return check(body, opset).rules(); }
// The type of %y, or the violations.
inline std::string type_of(const std::string& body, int opset = 20) {
  const Checked out = check(body, opset);
  std::string text;
  for (const auto& one : out.violations) text += one.rule + ": " + one.what + "; ";
  return text.empty() ? out.type("y") : text;
}

template <class F>
std::optional<Code> code_of(F&& run) {
  try {
    run();
  } catch (const Error& error) {
    return error.code();
  }
  return std::nullopt;
}

}  // namespace octet::optest
