// Done blocks of sums waiting for their epilogue (gemm_epilogue.h), finished a row at a time between tile steps. Included by
// gemm_amx.cpp only.
#pragma once
#include "cpu/kernels/gemm/gemm_epilogue.h"
#include "cpu/kernels/gemm/gemm_layout.h"

namespace octet::cpu {
namespace {

// Sums of a block: partial between slices, then, linked into the queue, waiting for their epilogue.
struct alignas(64) SumBlock {
  int64_t row, rows, col;  // rows 0: not waiting
  SumBlock* next;
  alignas(64) float sums[kAmxStrip * kAmxBlock];  // row-major
};

class FinishQueue {
 public:
  // A block of sums takes `steps` tile steps from one push() to the next; step() is done with it in half of them: later its sums would
  // have left L1, where the operands of the tiles stream through (docs/kernels/gemm.md).
  FinishQueue(FinishRows finish, const FinishArgs& args, int64_t steps) : finish_(finish), args_(args), steps_((steps + 1) / 2) {}

  void push(SumBlock& block, int64_t row, int64_t rows, int64_t col) {
    block.row = row, block.rows = rows, block.col = col;
    block.next = nullptr;
    (head_ == nullptr ? head_ : tail_->next) = &block;
    tail_ = &block;
  }
  // Before a block is used again.
  void release(const SumBlock& block) {
    while (block.rows != 0) finish(kAmxStrip);
  }
  void step() {
    int64_t rows = 0;
    for (credit_ += kAmxStrip; credit_ >= steps_; credit_ -= steps_) ++rows;
    if (rows != 0 && head_ != nullptr) finish(rows);
  }
  void drain() {
    while (head_ != nullptr) finish(kAmxStrip);
  }

 private:
  // Up to `rows` rows of the oldest block.
  void finish(int64_t rows) {
    SumBlock& block = *head_;
    const int64_t left = block.rows - done_;
    if (rows > left) rows = left;
    finish_(args_, block.sums + done_ * kAmxBlock, kAmxBlock, block.row + done_, rows, block.col, done_ == 0, rows == left);
    done_ += rows;
    if (rows != left) return;
    done_ = 0;
    block.rows = 0;
    head_ = block.next;
  }

  FinishRows finish_;
  FinishArgs args_;
  int64_t steps_, done_ = 0, credit_ = 0;
  SumBlock *head_ = nullptr, *tail_ = nullptr;
};

}  // namespace
}  // namespace octet::cpu
