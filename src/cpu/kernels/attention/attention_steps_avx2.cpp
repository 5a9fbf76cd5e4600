#include "cpu/kernels/attention/attention_steps_inl.h"

OCTET_ATTENTION_STEPS(avx2)
