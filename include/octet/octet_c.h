/* octet: runs engines (.plan files) from C, or from any language that calls C. The same contracts as octet.h; C99.
 *
 * Every function that can fail returns an octet_status: 0, or the exit code the `octet` command would have. The text of the
 * last failure of the calling thread is octet_last_error(). Handles are freed by their _free function (NULL is allowed);
 * a session keeps its engine alive. An engine may be used from any thread, a session by one thread at a time. */
#ifndef OCTET_OCTET_C_H
#define OCTET_OCTET_C_H
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define OCTET_C_API __attribute__((visibility("default")))

typedef enum {
  OCTET_OK = 0,
  OCTET_USAGE = 2,       /* a wrong argument or option */
  OCTET_INVALID = 3,     /* a damaged plan; tensors of the wrong name, type or size; a token id outside the vocabulary */
  OCTET_UNSUPPORTED = 4, /* a device that this build or machine does not have; memory that cannot be had */
  OCTET_IO = 5,          /* missing file, permission, disk */
  OCTET_INTERNAL = 70    /* a defect of octet */
} octet_status;

/* f16 and bf16 travel as their 16 bits, e4m3 and e5m2 as their codes. */
typedef enum {
  OCTET_F32 = 0,
  OCTET_F16 = 1,
  OCTET_BF16 = 2,
  OCTET_E4M3 = 3,
  OCTET_E5M2 = 4,
  OCTET_E8M0 = 5,
  OCTET_I8 = 6,
  OCTET_U8 = 7,
  OCTET_I32 = 8,
  OCTET_I64 = 9,
  OCTET_BOOL = 10,
  OCTET_F64 = 11
} octet_dtype;

typedef struct octet_engine octet_engine;
typedef struct octet_session octet_session;

/* An input or output of an engine; pointers live as long as the engine. dims[0] is the batch axis, -1. OCTET_U8 pictures are RGB bytes
 * [-1, H, W, 3], resized and cropped but not normalised. */
typedef struct {
  const char* name;
  octet_dtype dtype;
  int32_t rank;
  const int64_t* dims;
  uint64_t bytes_per_item;
} octet_tensor_info;

/* Memory of the caller: dense, row-major, batch first, batch * bytes_per_item bytes, any alignment. Inputs are only read.
 * name NULL: by position; then for all inputs, or all outputs, of a call. */
typedef struct {
  const char* name;
  octet_dtype dtype;
  void* data;
  size_t bytes;
} octet_tensor;

/* device: "cpu" (or NULL), "cuda" (GPU 0) or "cuda:N". threads: 0 for every core this process may use. On failure *engine is NULL. */
OCTET_C_API octet_status octet_engine_load(const char* path, const char* device, int threads, octet_engine** engine);
OCTET_C_API void octet_engine_free(octet_engine* engine);
OCTET_C_API const char* octet_engine_device(const octet_engine* engine); /* what it runs on: "cpu (amx)" */
OCTET_C_API size_t octet_engine_input_count(const octet_engine* engine);
OCTET_C_API size_t octet_engine_output_count(const octet_engine* engine);
OCTET_C_API octet_status octet_engine_input(const octet_engine* engine, size_t index, octet_tensor_info* info);
OCTET_C_API octet_status octet_engine_output(const octet_engine* engine, size_t index, octet_tensor_info* info);

OCTET_C_API octet_status octet_session_create(const octet_engine* engine, octet_session** session);
OCTET_C_API void octet_session_free(octet_session* session);
/* Sizes the memory for `batch` items; octet_session_run does so by itself when it must. */
OCTET_C_API octet_status octet_session_reserve(octet_session* session, int64_t batch);
/* Runs `batch` items. All inputs and outputs of the engine must be given. batch 0 does nothing. */
OCTET_C_API octet_status octet_session_run(octet_session* session, int64_t batch, const octet_tensor* inputs, size_t input_count,
                                           const octet_tensor* outputs, size_t output_count);

OCTET_C_API const char* octet_last_error(void); /* of this thread, until its next failure; "" if none */
OCTET_C_API const char* octet_version(void);    /* "0.1.0" */

#ifdef __cplusplus
}
#endif
#endif
