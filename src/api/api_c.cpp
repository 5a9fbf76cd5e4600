// The C ABI over the C++ API: handles, status codes, and the text of the last error of each thread. No exception leaves.
#include <new>
#include <optional>

#include "octet/octet.h"
#include "octet/octet_c.h"

struct octet_engine {
  octet::Engine engine;
};
struct octet_session {
  octet::Session session;
  std::vector<octet::TensorView> inputs, outputs;  // kept, so that a run allocates nothing
};

namespace {

static_assert(OCTET_F64 == static_cast<int>(octet::DType::f64) && OCTET_E4M3 == static_cast<int>(octet::DType::e4m3));
static_assert(OCTET_INTERNAL == static_cast<int>(octet::Code::kInternal) && OCTET_INVALID == static_cast<int>(octet::Code::kInvalid));

thread_local std::string last_error;

octet_status failed(octet_status status, const char* text) noexcept {
  try {
    last_error = text;
  } catch (...) {  // no memory for the message: the code still says what happened
    last_error.clear();
  }
  return status;
}

template <class Body>
octet_status guarded(Body&& body) noexcept {
  try {
    body();
    return OCTET_OK;
  } catch (const octet::Error& error) {
    try {
      return failed(static_cast<octet_status>(error.code()), error.render().c_str());
    } catch (...) {
      return failed(static_cast<octet_status>(error.code()), error.what());
    }
  } catch (const std::bad_alloc&) {
    return failed(OCTET_UNSUPPORTED, "out of memory");
  } catch (const std::exception& error) {
    return failed(OCTET_INTERNAL, error.what());
  } catch (...) {
    return failed(OCTET_INTERNAL, "unknown exception");
  }
}

octet_status describe(const std::vector<octet::TensorInfo>& infos, size_t index, octet_tensor_info* info) {
  if (!info) return failed(OCTET_USAGE, "info is NULL");
  if (index >= infos.size()) return failed(OCTET_USAGE, "index out of range");
  const octet::TensorInfo& from = infos[index];
  *info = {from.name.c_str(), static_cast<octet_dtype>(from.dtype), static_cast<int32_t>(from.dims.size()), from.dims.data(),
           from.bytes_per_item};
  return OCTET_OK;
}

void convert(const octet_tensor* tensors, size_t count, std::vector<octet::TensorView>& views) {
  views.clear();
  for (size_t i = 0; i < count; ++i) {
    const octet_tensor& t = tensors[i];
    if (t.dtype < OCTET_F32 || t.dtype > OCTET_F64) throw octet::Error(octet::Code::kUsage, "a tensor has an unknown dtype");
    views.push_back({t.name ? std::string_view(t.name) : std::string_view(), static_cast<octet::DType>(t.dtype), t.data, t.bytes});
  }
}

}  // namespace

octet_status octet_engine_load(const char* path, const char* device, int threads, octet_engine** engine) {
  if (!path || !engine) return failed(OCTET_USAGE, "path or engine is NULL");
  *engine = nullptr;
  return guarded([&] {
    octet::EngineOptions options;
    if (device) options.device = device;
    options.threads = threads;
    *engine = new octet_engine{octet::Engine::load(path, options)};
  });
}
void octet_engine_free(octet_engine* engine) { delete engine; }
const char* octet_engine_device(const octet_engine* engine) { return engine ? engine->engine.device().c_str() : ""; }
size_t octet_engine_input_count(const octet_engine* engine) { return engine ? engine->engine.inputs().size() : 0; }
size_t octet_engine_output_count(const octet_engine* engine) { return engine ? engine->engine.outputs().size() : 0; }
octet_status octet_engine_input(const octet_engine* engine, size_t index, octet_tensor_info* info) {
  return engine ? describe(engine->engine.inputs(), index, info) : failed(OCTET_USAGE, "engine is NULL");
}
octet_status octet_engine_output(const octet_engine* engine, size_t index, octet_tensor_info* info) {
  return engine ? describe(engine->engine.outputs(), index, info) : failed(OCTET_USAGE, "engine is NULL");
}

octet_status octet_session_create(const octet_engine* engine, octet_session** session) {
  if (!engine || !session) return failed(OCTET_USAGE, "engine or session is NULL");
  *session = nullptr;
  return guarded([&] { *session = new octet_session{octet::Session(engine->engine), {}, {}}; });
}
void octet_session_free(octet_session* session) { delete session; }
octet_status octet_session_reserve(octet_session* session, int64_t batch) {
  if (!session) return failed(OCTET_USAGE, "session is NULL");
  return guarded([&] { session->session.reserve(batch); });
}
octet_status octet_session_run(octet_session* session, int64_t batch, const octet_tensor* inputs, size_t input_count,
                               const octet_tensor* outputs, size_t output_count) {
  if (!session || (!inputs && input_count > 0) || (!outputs && output_count > 0)) return failed(OCTET_USAGE, "session or tensors are NULL");
  return guarded([&] {
    convert(inputs, input_count, session->inputs);
    convert(outputs, output_count, session->outputs);
    session->session.run(batch, session->inputs, session->outputs);
  });
}

const char* octet_last_error(void) { return last_error.c_str(); }
const char* octet_version(void) {
  static const std::string text(octet::version());
  return text.c_str();
}
