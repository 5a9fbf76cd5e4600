// CLIP's word splitter. It stands for two regular expressions applied one after the other (CLIP's own, then the one of the
// byte-level step), which together mean: white space separates; each letter run, single number character, contraction
// tail and run of anything else is a piece; the two special-token spellings are three pieces. Next: bpe.h.
#pragma once
#include <string_view>

namespace octet::text {

class ClipSplitter {
 public:
  // `text` is normalised and in lower case; it must outlive the splitter.
  explicit ClipSplitter(std::u32string_view text) : text_(text) {}
  // The next piece, never empty, a view into the text; or an empty view at the end.
  std::u32string_view next();

 private:
  std::u32string_view text_;
  size_t position_ = 0;
  size_t fence_ = 0;  // no piece that begins before the fence may cross it
};

}  // namespace octet::text
