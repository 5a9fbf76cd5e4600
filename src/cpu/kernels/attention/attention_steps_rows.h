// The instruction-set entries of unfused attention; attention_steps.cpp lists them. Internal to the family.
#pragma once
#include "cpu/kernels/attention/attention_steps.h"

namespace octet::cpu {

using ScoresRun = void(const AttentionProblem&, const ScoresArgs&, int thread, int threads);
using SoftmaxRun = void(const AttentionProblem&, const SoftmaxArgs&, int thread, int threads);
using ValuesRun = void(const AttentionProblem&, const ValuesArgs&, int thread, int threads);
using StepScratch = size_t(const AttentionProblem&);

ScoresRun run_scores_portable, run_scores_avx2, run_scores_avx512, run_scores_amx;
SoftmaxRun run_softmax_portable, run_softmax_avx2, run_softmax_avx512;
ValuesRun run_values_portable, run_values_avx2, run_values_avx512, run_values_amx;
// Of scores and values; a softmax needs scratch_softmax(), whatever the instruction set.
StepScratch scratch_steps_portable, scratch_steps_avx2, scratch_steps_avx512, scratch_steps_amx, scratch_softmax;

}  // namespace octet::cpu
