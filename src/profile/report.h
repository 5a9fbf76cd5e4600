// Everything a profile report holds, as plain data: one or more engines, each with its steps, where they came from and why nothing
// better ran, and the comparison of two or more. Filled by profile/collect.h (one engine) and profile/compare_engines.h (all of them);
// written as JSON by to_json() (schema "octet.profile/1", docs/formats/profile.md), as text by `octet profile`, as HTML by
// report/html.h. Times are milliseconds of one run at `batch`; bytes and FLOPs are of one run too, unless a name says otherwise.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace octet::profile {

// A median and the interval in which it lies with 95 % confidence, by order statistics of the runs: no distribution is assumed.
struct Estimate {
  double median = 0, low = 0, high = 0;
};

struct EngineSummary {
  int64_t batch = 0;
  int runs = 0, warm_up_runs = 0, profiled_runs = 0;
  double warm_up_ms = 0;
  // Whole runs, timed before the profile and without it: on the CPU the wall time of a run, on a GPU transfers and compute by its clock.
  Estimate end_to_end;
  double p90 = 0, p99 = 0, min = 0, mean = 0, coefficient_of_variation = 0;  // ms; the last in %
  double compute_ms = 0, wall_ms = 0;                                        // medians: without transfers; by the host's clock
  double items_per_second = 0;                                               // batch x runs over the time they took
  // The profiled runs: the sum over the steps of each. Plain runs take turns with them; the gap is the sum's median less the plain
  // runs' median compute time (events, lost overlap): drift of the machine is in both.
  Estimate sum_of_steps;
  double plain_ms = 0, gap_ms = 0, gap_percent = 0;
  uint64_t engine_bytes = 0, weight_bytes = 0, resident_weight_bytes = 0, arena_bytes = 0;  // file; stored; packed here; at `batch`
};

// Where and how it was measured.
struct Environment {
  std::string octet, date;             // version; UTC, ISO 8601
  std::string command;                 // the command line
  std::string cpu, isa, device;        // CPU's name; instruction sets used; what ran: "cpu (...)" or "cuda:0 (NVIDIA H200, sm_90)"
  int threads = 0;                     // CPU threads
  std::string driver, gpu_memory;      // of the GPU; empty on the CPU
  std::vector<std::string> variables;  // OCTET_... that were set: "OCTET_ISA=avx2"
};

// A ceiling on what a step can reach.
struct Roof {
  std::string name;     // "AMX bf16", "AVX-512 f32", "memory", "FP8 tensor cores"
  double rate = 0;      // FLOP/s, or bytes/s for memory
  bool memory = false;  // else compute
  std::string origin;   // "measured now on 2 threads", "nominal: 132 SMs at 1.98 GHz"
};
// How close a step came: the time its FLOPs or bytes need at the roof, whichever is longer, over the time it took.
struct Roofline {
  std::string roof;    // Roof::name; empty if no roof is known
  double percent = 0;  // 100 * roof_ms / median
  double roof_ms = 0;
  double products = 1;  // machine products a product of the step takes: 4 where f16 is split into pairs of bf16
};

// Where a step's activations come from: an edge of the step graph.
struct StepEdge {
  int64_t from = -1, to = -1;  // step indices; -1: the engine's input, or its output
  std::string tensor, dtype;
  uint64_t bytes = 0;
};

struct Step {
  std::string name, kind, category;  // kind: of the plan; category: see kCategories
  std::string block;                 // what repeats: "vision_model.encoder.layers.3", "" outside of a block
  std::string precision;             // of its products, or where it has none, of its input: "e4m3", "f16"
  std::string out_dtype;
  std::string problem, kernel;
  double flops = 0;               // 2 per multiply and add; 0 for steps without products
  uint64_t bytes = 0;             // least traffic: inputs, weights and outputs once each
  uint64_t weight_bytes = 0;      // of that
  Estimate time;                  // of one profiled run
  double share = 0;               // percent of the sum of the medians
  std::vector<double> ms;         // of each profiled run
  double tflops = 0, gbytes = 0;  // reached, by `flops`, `bytes` and the median
  Roofline roofline;
  std::vector<uint32_t> source;      // indices of SourceNode: what it stands for, Q/DQ included
  std::vector<std::string> notes;    // from the compiler: why not better
  std::vector<std::string> refused;  // better kernels and why each refused
  // "yes"; "partly" (its weight or its output alone is e4m3); "no"; "n/a": it has no product that FP8 could make.
  std::string fp8;
  std::string fp8_reason;  // why not "yes"
};

// Categories, in the order in which reports list them.
inline constexpr const char* kCategories[] = {"gemm",      "attention",    "unfused attention", "normalisation",
                                              "embedding", "element-wise", "reformat",          "copy"};

// The ONNX graph as the engine recorded it, without tensors.
struct SourceNode {
  std::string name, op, block;
  std::vector<std::string> inputs, outputs;  // tensors; "" for an omitted one
  int64_t step = -1;                         // -1: folded into constants, merged or dead
};
struct SourceEdge {
  uint32_t from = 0, to = 0;  // nodes
  std::string tensor;
};

// One of: precision by time, count and FLOPs; or category, likewise.
struct Share {
  std::string name;
  int64_t steps = 0;
  double ms = 0, flops = 0;  // ms: the median over the runs of the sum of its steps
  uint64_t bytes = 0;
};
// Activations that go from a step of one precision to a step of another (or the same).
struct Transition {
  std::string from, to;
  int64_t edges = 0;
  uint64_t bytes = 0;
};

// What one FP8 site (a quantized activation) did with the data of the profile: `--stats`.
struct SiteStats {
  int64_t step = 0;
  std::string tensor;
  uint32_t column_begin = 0, column_end = 0;  // the columns that share this scale
  double scale = 0;
  int64_t elements = 0, zeros = 0, saturated = 0, nan = 0;  // codes; saturated: +-448
  double largest = 0;                                       // of |code|, 448 at most
  int64_t judged = 0, clipped = 0;  // of `judged` exact values, those beyond 448: what saturation cut off (f64 reference)
};

struct Engine {
  std::string label, file, name, creator;  // label: short, unique in the report: "A fp16"; name: of the graph
  EngineSummary summary;
  Environment environment;
  std::vector<Roof> roofs;
  std::vector<Step> steps;
  std::vector<StepEdge> edges;
  std::vector<SourceNode> nodes;
  std::vector<SourceEdge> node_edges;
  std::vector<Share> by_category, by_precision;
  std::vector<Transition> transitions;
  double reformat_ms = 0;                  // steps of categories reformat and copy
  std::vector<uint32_t> stray_quantizers;  // Q and DQ nodes that folded into no product: they run as steps of their own or in a float step
  std::vector<SiteStats> sites;            // empty without --stats
  std::vector<std::string> notes;          // what a reader should know of these figures
};

// Layers of several engines that stand for the same ONNX nodes.
struct MatchedLayer {
  std::string name, category, block;
  struct Side {
    std::vector<uint32_t> steps;  // of this engine; empty: it has no such layer
    Estimate time;                // of their sum
    std::string precision, kernels;
  };
  std::vector<Side> sides;  // parallel to Report::engines
};
// One leg of the waterfall, from one engine to the next.
struct Leg {
  uint32_t from = 0, to = 0;
  std::string cause;              // "fusion", "precision", "fusion and precision", "kernels": what the two engines differ in
  double from_ms = 0, to_ms = 0;  // end to end
  double speed_up = 0;            // from_ms / to_ms
  struct Part {
    std::string category;
    double ms = 0;  // saved in this category, by the sums of steps: negative is lost
  };
  std::vector<Part> parts;
  double unattributed_ms = 0;  // end-to-end gain less the sum of the parts
};
// A layer slower in `to` than in `from`.
struct SlowerLayer {
  uint32_t from = 0, to = 0, layer = 0;  // engines; index of Report::layers
  double delta_ms = 0;
  bool beyond_noise = false;  // the two intervals do not meet
  std::string reason;
};

struct Report {
  std::vector<Engine> engines;       // the order of the command line: A, B, C
  std::vector<MatchedLayer> layers;  // of the first engine's order; what only others have comes behind. Empty for one engine
  std::vector<Leg> waterfall;        // between neighbours
  std::vector<SlowerLayer> slower;   // of neighbours, worst first
};

// Schema "octet.profile/1": docs/formats/profile.md. Keys are the members' names.
std::string to_json(const Report& report);

}  // namespace octet::profile
