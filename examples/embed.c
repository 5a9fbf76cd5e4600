/* One item of zeros through an engine: embed ENGINE.plan. Build: cc embed.c $(pkg-config --cflags --libs octet) */
#include <octet/octet_c.h>
#include <stdio.h>
#include <stdlib.h>

static void check(octet_status status) {
  if (status == OCTET_OK) return;
  fprintf(stderr, "embed: %s\n", octet_last_error());
  exit(status);
}

int main(int argc, char** argv) {
  octet_engine* engine;
  octet_session* session;
  octet_tensor tensors[2][8];
  if (argc != 2) return fprintf(stderr, "usage: embed ENGINE.plan\n"), 2;
  check(octet_engine_load(argv[1], "cpu", 0, &engine));
  check(octet_session_create(engine, &session));
  const size_t inputs = octet_engine_input_count(engine), outputs = octet_engine_output_count(engine);
  if (inputs > 8 || outputs > 8) return fprintf(stderr, "embed: more than 8 inputs or outputs\n"), 4;
  for (size_t i = 0; i < inputs + outputs; ++i) {
    octet_tensor_info info;
    check(i < inputs ? octet_engine_input(engine, i, &info) : octet_engine_output(engine, i - inputs, &info));
    octet_tensor* tensor = i < inputs ? &tensors[0][i] : &tensors[1][i - inputs];
    *tensor = (octet_tensor){info.name, info.dtype, calloc(1, info.bytes_per_item), info.bytes_per_item};
    if (!tensor->data) return fprintf(stderr, "embed: out of memory\n"), 4;
    printf("%s %s: %llu bytes\n", i < inputs ? "input" : "output", info.name, (unsigned long long)info.bytes_per_item);
  }
  check(octet_session_run(session, 1, tensors[0], inputs, tensors[1], outputs));
  for (size_t i = 0; i < tensors[1][0].bytes; ++i) printf("%02x", ((unsigned char*)tensors[1][0].data)[i]);
  printf("\n");
  octet_session_free(session);
  octet_engine_free(engine);
  return 0;
}
