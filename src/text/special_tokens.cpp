#include "text/special_tokens.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "text/unicode.h"

namespace octet::text {
namespace {

using Json = nlohmann::json;
constexpr size_t kMaxConfigBytes = size_t{64} << 20;
constexpr int kMaxDepth = 64;

// The members `wanted` of the object in `path`; null where there is no such file. Other members are not stored.
Json read_members(const std::filesystem::path& path, const std::vector<std::string>& wanted) {
  if (!std::filesystem::exists(path)) return nullptr;
  return with_context([&] { return fmt::format("reading {}", path.string()); },
                      [&] {
                        const auto file = MappedFile::open(path);
                        if (file->bytes().size() > kMaxConfigBytes)
                          fail(Code::kInvalid, "{} is too large for a tokenizer's file", human_bytes(file->bytes().size()));
                        const auto keep = [&](int depth, Json::parse_event_t event, Json& value) {
                          if (depth > kMaxDepth) fail(Code::kInvalid, "JSON nested deeper than {}", kMaxDepth);
                          if (event != Json::parse_event_t::key || depth != 1) return true;
                          return std::find(wanted.begin(), wanted.end(), value.get_ref<const std::string&>()) != wanted.end();
                        };
                        Json json;
                        try {
                          json = Json::parse(file->text(), keep);
                        } catch (const Json::exception& error) {
                          fail(Code::kInvalid, "not valid JSON: {}", printable(error.what()));
                        }
                        if (!json.is_object()) fail(Code::kInvalid, "expected a JSON object");
                        return json;
                      });
}

// A token as the files write it: a string, or an object with "content" and flags.
struct Declared {
  std::string content;
  std::optional<bool> normalized;
};

Declared declared(const Json& json, std::string_view where) {
  if (json.is_string()) return {json.get<std::string>(), {}};
  const auto flag = [&](const char* name) {
    return json.is_object() && json.contains(name) && json[name].is_boolean() && json[name].get<bool>();
  };
  if (!json.is_object() || !json.contains("content") || !json["content"].is_string() ||
      json["content"].get_ref<const std::string&>().empty()) {
    fail(Code::kInvalid, "{} is no token: expected a string, or an object with \"content\"", where);
  }
  Declared token{json["content"].get<std::string>(), flag("normalized")};
  for (const char* name : {"lstrip", "rstrip", "single_word"})
    if (flag(name)) fail(Code::kUnsupported, "special token `{}` has {}, which octet does not support", printable(token.content), name);
  return token;
}

int32_t token_id(const Vocabulary& vocabulary, const std::string& content) {
  const auto it = vocabulary.ids.find(content);
  if (it == vocabulary.ids.end()) fail(Code::kInvalid, "the special token `{}` is not in the vocabulary", printable(content));
  return it->second;
}

// Adds the tokens of tokenizer_config.json's or tokenizer.json's list, an object by id or an array.
void add_listed(const Json& list, std::map<std::string, bool>& normalized) {
  if (!list.is_object() && !list.is_array()) fail(Code::kInvalid, "the list of added tokens is neither an object nor an array");
  for (const auto& item : list) {
    const Declared token = declared(item, "an added token");
    normalized[token.content] = token.normalized.value_or(false);
  }
}

}  // namespace

const SpecialToken* SpecialTokens::find(std::string_view text, size_t from, bool normalized, size_t& position) const {
  const SpecialToken* best = nullptr;
  position = text.npos;
  for (const auto& token : all) {
    if (token.normalized != normalized) continue;
    const size_t at = text.find(token.content, from);
    if (at == text.npos || at > position) continue;
    if (at < position || token.content.size() > best->content.size()) best = &token;
    position = at;
  }
  return best;
}

SpecialTokens load_special_tokens(const std::filesystem::path& directory, const Vocabulary& vocabulary) {
  const Json config =
      read_members(directory / "tokenizer_config.json", {"bos_token", "eos_token", "unk_token", "pad_token", "added_tokens_decoder"});
  std::map<std::string, bool> listed, named;  // content -> normalized
  Json map;
  if (config.is_object() && config.contains("added_tokens_decoder")) {
    add_listed(config["added_tokens_decoder"], listed);
  } else {  // the older files count only without that list
    map = read_members(directory / "special_tokens_map.json", {"bos_token", "eos_token", "unk_token", "pad_token"});
    const Json file = read_members(directory / "tokenizer.json", {"added_tokens"});
    if (file.is_object() && file.contains("added_tokens")) add_listed(file["added_tokens"], listed);
  }

  const auto resolve = [&](const char* key, std::string content) {
    const Json* source = map.is_object() && map.contains(key) ? &map : config.is_object() && config.contains(key) ? &config : nullptr;
    if (source && !(*source)[key].is_null()) {
      const Declared token = declared((*source)[key], key);
      content = token.content;
      named[content] |= token.normalized.value_or(false);
    }
    named.try_emplace(content, false);
    return token_id(vocabulary, content);
  };
  SpecialTokens out;
  out.bos = resolve("bos_token", "<|startoftext|>");
  out.eos = resolve("eos_token", "<|endoftext|>");
  out.unknown = resolve("unk_token", "<|endoftext|>");
  out.pad = resolve("pad_token", "<|endoftext|>");
  named.merge(std::map(listed));
  for (const auto& [content, normalized] : named) {
    const auto it = listed.find(content);
    SpecialToken token{content, token_id(vocabulary, content), it != listed.end() ? it->second : normalized};
    if (token.normalized) {
      token.content.clear();
      for (const char32_t c : lower(nfc(decode_utf8(content)))) append_utf8(token.content, c);
    }
    out.all.push_back(std::move(token));
  }
  return out;
}

}  // namespace octet::text
