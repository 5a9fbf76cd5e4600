// An ONNX file as one offline HTML page: the graph with its Q and DQ nodes, types and violations, before any engine is built.
#pragma once
#include <filesystem>
#include <string>

namespace octet {

// Throws as load_model().
std::string inspect_onnx_html(const std::filesystem::path& file);

}  // namespace octet
