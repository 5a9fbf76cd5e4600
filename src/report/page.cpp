#include "report/page.h"

#include "base/error.h"
#include "base/sha256.h"
#include "report/assets.h"

namespace octet::report {
namespace {

std::string_view asset(std::string_view name) {
  for (const Asset& one : embedded_files())
    if (one.name == name) return one.text;
  fail(Code::kInternal, "{} is not embedded", name);
}

// All files whose name ends so, in the order of their names, less d3, which has an element of its own; main.js, which starts the page,
// is last.
std::string all_of(std::string_view suffix) {
  std::string out;
  for (const Asset& one : embedded_files())
    if (one.name.ends_with(suffix) && one.name != "d3.min.js" && one.name != "main.js") out += one.text;
  return suffix == ".js" ? out.append(asset("main.js")) : out;
}

std::string base64(std::string_view hex) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const auto value = [](char c) { return static_cast<uint32_t>(c <= '9' ? c - '0' : c - 'a' + 10); };
  std::string out;
  for (size_t i = 0; i < hex.size(); i += 6) {  // three bytes: four digits
    uint32_t bits = 0;
    const size_t nibbles = std::min<size_t>(6, hex.size() - i);
    for (size_t k = 0; k < 6; ++k) bits = bits << 4 | (k < nibbles ? value(hex[i + k]) : 0);
    for (size_t k = 0; k < 4; ++k) out += k <= nibbles / 2 ? kDigits[bits >> (18 - 6 * k) & 63] : '=';
  }
  return out;
}

// The template with each {{name}} replaced, in one pass: what is put in is not looked at again.
template <class Value>
std::string fill(std::string_view text, Value&& value) {
  std::string out;
  for (size_t begin; (begin = text.find("{{")) != std::string_view::npos;) {
    const size_t end = text.find("}}", begin);
    OCTET_CHECK(end != std::string_view::npos);
    out.append(text.substr(0, begin)).append(value(text.substr(begin + 2, end - begin - 2)));
    text.remove_prefix(end + 2);
  }
  return out.append(text);
}

}  // namespace

std::string escape_html(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '&') out += "&amp;";
    else if (c == '<') out += "&lt;";
    else if (c == '>') out += "&gt;";
    else if (c == '"') out += "&quot;";
    else if (c == '\'') out += "&#39;";
    else out += c;
  }
  return out;
}

std::string escape_script(std::string_view json) {
  std::string out;
  out.reserve(json.size());
  for (const char c : json) {  // these three occur in strings alone, where an escape means the same
    if (c == '<') out += "\\u003c";
    else if (c == '>') out += "\\u003e";
    else if (c == '&') out += "\\u0026";
    else out += c;
  }
  return out;
}

std::string csp_hash(std::string_view text) {
  Sha256 hash;
  hash.update(text);
  return "'sha256-" + base64(hash.hex()) + "'";
}

std::string page(std::string_view title, std::string_view data) {
  const std::string style = all_of(".css"), d3(asset("d3.min.js")), licences = all_of(".txt");
  const std::string script = "(function () {\n'use strict';\n" + all_of(".js") + "})();\n";
  const std::string policy = fmt::format("default-src 'none'; script-src {} {}; style-src {}; base-uri 'none'; form-action 'none'",
                                         csp_hash(d3), csp_hash(script), csp_hash(style));
  return fill(asset("page.html"), [&](std::string_view name) -> std::string {
    if (name == "policy") return escape_html(policy);
    if (name == "title") return escape_html(title);
    if (name == "style") return style;
    if (name == "d3") return d3;
    if (name == "script") return script;
    if (name == "data") return escape_script(data);
    if (name == "licences") return escape_html(licences);
    fail(Code::kInternal, "page.html asks for {}", name);
  });
}

}  // namespace octet::report
