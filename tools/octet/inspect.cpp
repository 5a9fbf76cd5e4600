// octet inspect: what is in an ONNX file, a checkpoint or an engine. The facts are src/inspect.h's JSON; here they become text.
#include "inspect.h"

#include <filesystem>

#include "base/file.h"
#include "base/text.h"
#include "console.h"
#include "engine_io.h"
#include "inspect_html.h"
#include "profile/layer_info.h"
#include "subcommand.h"

namespace octet::cli {
namespace {

struct Options {
  std::string file, html;
  bool json = false, layer_info = false;
  DeviceOptions device;
};

// A value on one line: a string as it is, a list joined, null as "-".
std::string text_of(const Json& value) {
  if (value.is_null()) return "-";
  if (value.is_string()) return printable(value.get<std::string>());
  if (!value.is_array()) return value.dump();
  std::vector<std::string> parts;
  for (const Json& part : value) parts.push_back(text_of(part));
  return join(parts, ", ");
}
std::string bytes_of(const Json& value) { return human_bytes(value.get<uint64_t>()); }

void line(std::string_view label, std::string_view text) { print_out(fmt::format("{:<14}{}\n", label, text)); }
void field(const Json& facts, std::string_view label, const char* key) {
  if (const std::string text = text_of(facts[key]); !text.empty()) line(label, text);
}

void tensors(const Json& facts, const char* key, std::string_view label) {
  for (const Json& tensor : facts[key])
    line(label, fmt::format("{} {}[{}]", text_of(tensor["name"]), text_of(tensor["dtype"]), text_of(tensor["dims"])));
}

// "e4m3 291.0 MiB in 97, f16 ..."
std::string storage(const Json& facts) {
  std::vector<std::string> parts;
  for (const auto& [dtype, share] : facts["by_dtype"].items())
    parts.push_back(fmt::format("{} {} in {}", dtype, bytes_of(share["bytes"]), text_of(share["count"])));
  return fmt::format("{} in {} tensors, {} elements ({})", bytes_of(facts["bytes"]), text_of(facts["count"]), text_of(facts["elements"]),
                     join(parts, ", "));
}

// Lines that occur more than once are printed once, with their number, in order of first appearance.
class Grouped {
 public:
  void add(const std::string& text) {
    const auto [found, is_new] = place_.try_emplace(text, rows_.size());
    if (is_new) rows_.emplace_back(text, 0);
    ++rows_[found->second].second;
  }
  bool empty() const { return rows_.empty(); }
  void print() const {
    for (const auto& [text, count] : rows_) print_out(fmt::format("  {:>4} x {}\n", count, text));
  }

 private:
  std::map<std::string, size_t> place_;
  std::vector<std::pair<std::string, int>> rows_;
};

void print_sites(const Json& quantization) {
  Grouped sites;
  for (const Json& site : quantization["sites"]) {
    const std::string consumers = text_of(site["consumers"]);
    sites.add(fmt::format("{} {} -> {}", text_of(site["dtype"]), printable(without_numbers(site["tensor"].get<std::string>())),
                          consumers.empty() ? "nothing" : consumers));
  }
  sites.print();
}

void print_onnx(const Json& facts) {
  field(facts, "graph", "name");
  line("format",
       fmt::format("ONNX, opset {}, producer {}, {}", text_of(facts["opset"]), text_of(facts["producer"]), bytes_of(facts["bytes"])));
  for (const auto& [key, value] : facts["metadata"].items()) line("metadata", printable(key) + " = " + text_of(value));
  tensors(facts, "inputs", "input");
  tensors(facts, "outputs", "output");
  std::vector<std::string> ops;
  for (const auto& [op, count] : facts["ops"].items()) ops.push_back(op + " " + text_of(count));
  line("nodes", text_of(facts["nodes"]) + ": " + join(ops, ", "));
  line("constants", storage(facts["constants"]));
  const Json& q = facts["quantization"];
  line("quantization", fmt::format("activations {} Q, {} DQ; weights {} Q, {} DQ", text_of(q["activation_q"]), text_of(q["activation_dq"]),
                                   text_of(q["weight_q"]), text_of(q["weight_dq"])));
  print_sites(q);
  const auto violations = facts["type_violations"].get<int64_t>();
  line("types", violations == 0 ? "strongly typed, no violation" : fmt::format("{} violations: see `octet check`", violations));
}

void print_tower(std::string_view name, const Json& tower) {
  std::vector<std::string> parts;
  for (const auto& [key, value] : tower.items()) parts.push_back(key + " " + text_of(value));
  line(name, join(parts, ", "));
}

void print_checkpoint(const Json& facts) {
  line("checkpoint",
       fmt::format("{} ({}), dtype {}", text_of(facts["model_type"]), text_of(facts["architectures"]), text_of(facts["dtype"])));
  if (const Json& clip = facts["clip"]; !clip.is_null()) {
    print_tower("text", clip["text"]);
    print_tower("vision", clip["vision"]);
    field(clip, "projection", "projection");
  }
  line("tensors", storage(facts["tensors"]));
  const Json& q = facts["quantization"];
  if (q["quantizers"].empty()) return line("quantization", "none");
  line("quantization", fmt::format("ModelOpt {}, {} amax tensors", text_of(q["modelopt_version"]), text_of(facts["amax_tensors"])));
  Table table({"  quantizer", "on", "off", "formats"});
  for (const auto& [kind, counts] : q["quantizers"].items()) {
    std::vector<std::string> formats;
    for (const auto& [format, count] : counts["formats"].items()) formats.push_back(format + " " + text_of(count));
    table.add({"  " + printable(kind), text_of(counts["on"]), text_of(counts["off"]), join(formats, ", ")});
  }
  print_out(table.render());
}

void print_steps(const Json& steps) {
  Table table({"step", "kind", "kernel", "problem at batch 1", "out", "nodes"});
  Grouped reasons;
  for (const Json& step : steps) {
    const std::string name = printable(step["name"].get<std::string>());
    table.add({name, text_of(step["kind"]), text_of(step["kernel"]), text_of(step["problem"]), text_of(step["out_dtype"]),
               fmt::to_string(step["source"].size())});
    for (const Json& note : step["notes"]) reasons.add(without_numbers(name) + ": " + text_of(note));
    for (const Json& no : step["refused"]) reasons.add(text_of(step["kind"]) + ": not " + text_of(no));
  }
  print_out(table.render());
  if (!reasons.empty()) print_out("why not better:\n");
  reasons.print();
}

void print_engine(const Json& facts) {
  field(facts, "graph", "name");
  line("engine", fmt::format("valid, format {}, created by {}, {}", text_of(facts["format_version"]), text_of(facts["creator"]),
                             bytes_of(facts["bytes"])));
  std::vector<std::string> sections;
  for (const Json& section : facts["sections"]) sections.push_back(text_of(section["name"]) + " " + bytes_of(section["bytes"]));
  line("sections", join(sections, ", "));
  field(facts, "processor", "processor_sha256");
  tensors(facts, "inputs", "input");
  tensors(facts, "outputs", "output");
  line("weights", storage(facts["weights"]));
  line("memory", fmt::format("arena {} an item, {} buffers; weights packed for this machine {}", bytes_of(facts["arena_bytes_per_item"]),
                             text_of(facts["buffers"]), bytes_of(facts["resident_weight_bytes"])));
  const Json& source = facts["source"];
  line("source", fmt::format("{} ONNX nodes: {} in {} steps, {} folded", text_of(source["nodes"]), text_of(source["in_steps"]),
                             facts["steps"].size(), text_of(source["folded"])));
  field(facts, "device", "device");
  print_steps(facts["steps"]);
}

[[noreturn]] void refuse(const Json& facts) {
  std::vector<std::string> reasons;
  for (const Json& reason : facts["reasons"]) reasons.push_back(text_of(reason));
  throw Error(Code::kInvalid, fmt::format("{} is not a usable engine:\n  {}", facts["file"].get<std::string>(), join(reasons, "\n  ")),
              "build it again with `octet exec --onnx=... --saveEngine=...`");
}

Json facts_of_directory(const std::filesystem::path& path) {
  if (std::filesystem::exists(path / "config.json")) return inspect_checkpoint(path);
  for (const auto& entry : std::filesystem::directory_iterator(path))
    if (const auto kind = entry.path().extension(); kind == ".onnx" || kind == ".plan")
      throw Error(Code::kUsage, path.string() + " is a directory, and no checkpoint", "inspect a file in it: " + entry.path().string());
  throw Error(Code::kIo, path.string() + " is no checkpoint: it has no config.json");
}

Json facts_of(const Options& o) {
  const std::filesystem::path path(o.file);
  if (std::filesystem::is_directory(path)) return facts_of_directory(path);
  if (path.extension() != ".plan" && !is_plan(path)) return inspect_onnx(path);
  return inspect_engine(path, *make_backend(o.device), {.threads = o.device.threads, .prepack = o.device.prepack});
}

// The page of an ONNX file. Of an engine what a page shows are times.
int write_page(const Options& o) {
  const std::filesystem::path path(o.file);
  if (std::filesystem::is_directory(path))
    throw Error(Code::kUsage, "--html shows the graph of an ONNX file; " + o.file + " is a directory");
  if (path.extension() == ".plan" || is_plan(path))
    throw Error(Code::kUsage, "--html shows the graph of an ONNX file; " + o.file + " is an engine",
                "octet profile " + o.file + " --html " + o.html);
  write_text(o.html, inspect_onnx_html(path));
  say("wrote {}", o.html);
  return 0;
}

// An engine's layers for what reads TensorRT's inspector.
int print_layer_info(const Options& o) {
  if (std::filesystem::is_directory(o.file) || !is_plan(o.file))
    throw Error(Code::kUsage, "--layer-info shows the layers of an engine; " + o.file + " is none",
                "octet exec --onnx=MODEL.onnx --saveEngine=MODEL.plan --skipInference");
  const Engine engine = load_engine(o.file, o.device);
  print_out(profile::dump_json(profile::layer_info(*engine.plan, *engine.executable)) + "\n");
  return 0;
}

int inspect(const Options& o) {
  if (o.layer_info) return print_layer_info(o);
  if (!o.html.empty()) return write_page(o);
  const Json facts = facts_of(o);
  if (o.json) print_out(facts.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
  if (facts.contains("valid") && !facts["valid"].get<bool>()) refuse(facts);
  if (o.json) return 0;
  line("file", o.file);
  if (facts["kind"] == "onnx") print_onnx(facts);
  if (facts["kind"] == "checkpoint") print_checkpoint(facts);
  if (facts["kind"] == "engine") print_engine(facts);
  return 0;
}

}  // namespace

Run add_inspect(CLI::App& app) {
  auto o = std::make_shared<Options>();
  app.add_option("file", o->file, "ONNX file, checkpoint directory or engine")->required()->type_name("PATH");
  app.add_flag("--json", o->json, "machine-readable output, schema octet.inspect/1");
  app.add_option("--html", o->html, "of an ONNX file: its graph as one offline page")->type_name("OUT")->excludes("--json");
  app.add_flag("--layer-info", o->layer_info, "of an engine: its layers as JSON in the form of TensorRT's engine inspector")
      ->excludes("--json");
  o->device.add_to(app);
  return [o] { return inspect(*o); };
}

}  // namespace octet::cli
