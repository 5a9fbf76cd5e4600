// One offline HTML file: the page of src/report/page, d3, and the data it shows. The file asks no network for anything and forbids it to
// itself (Content-Security-Policy: nothing but its own scripts and styles, by hash). The page writes names as text, never as markup.
#pragma once
#include <string>
#include <string_view>

namespace octet::report {

// `data` is JSON: {"schema": "octet.page/1", "kind": "profile" | "onnx", ...}; page/main.js says what each kind holds.
std::string page(std::string_view title, std::string_view data);

std::string escape_html(std::string_view text);    // for text and quoted attributes
std::string escape_script(std::string_view json);  // JSON that is the same value and cannot end a script element
std::string csp_hash(std::string_view text);       // 'sha256-BASE64' of an inline script or style

}  // namespace octet::report
