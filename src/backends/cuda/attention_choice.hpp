// SPDX-License-Identifier: Apache-2.0
//
// Which attention goes to cuDNN, and in which pieces: a function of sizes alone, tested without a device. A plan of
// cuDNN's takes half a second to make, so what changes from step to step may not ask for new ones for ever: equal
// segments are cut into powers of two of them, ragged ones are planned for rounded numbers and lengths. Above a limit
// on the memory of exact gradients, segments and then heads go one after the other.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <vector>

namespace strata::cuda {

struct AttentionSizes {
  std::int64_t segments = 0, queries = 0, keys = 0;  // rows of all segments together
  std::int64_t longest_query = 0, longest_key = 0;   // of any segment; 0: not known
  std::int64_t heads = 0, head_width = 0;
};

struct AttentionSetting {
  int major = 0;          // of the device's compute capability
  std::size_t cudnn = 0;  // cudnnGetVersion()
  bool exact = true;      // gradients with the same bits each time
  // Bytes that these may take for scores; four times as many where a single head of a segment needs them.
  std::int64_t scores = std::int64_t{2} << 30;
};

// Run i takes the next `segments[i]` segments, `heads` of the heads at a time, as if they had `queries` and `keys` rows
// each; ragged ones have less, and there may be more places for segments than segments.
struct AttentionChoice {
  bool served = false, ragged = false;
  std::int64_t queries = 0, keys = 0, heads = 0;
  std::vector<std::int64_t> segments;

  std::int64_t places() const {
    std::int64_t sum = 0;
    for (const auto n : segments) sum += n;
    return sum;
  }
};

inline constexpr std::int64_t kMostSegments = 16384;  // of a run: grids have 65 535 blocks along all axes but one
inline constexpr std::int64_t kMostRuns = 1024;       // of one op: more are not worth starting
// Before it, gradients of lengths that are no multiples of 128 need a mask; 9.10.0 has bugs that are known.
inline constexpr std::size_t kOldestCudnn = 91600;

inline std::int64_t round_up(std::int64_t n, std::int64_t step) { return (n + step - 1) / step * step; }
inline std::int64_t power_of_two_up_to(std::int64_t n) {
  return static_cast<std::int64_t>(std::bit_floor(static_cast<std::uint64_t>(n)));
}

// At most a quarter more, in steps of at least 64: four plans an octave.
inline std::int64_t rounded_length(std::int64_t n) {
  return round_up(n, std::max<std::int64_t>(64, power_of_two_up_to(n) / 4));
}
inline std::int64_t rounded_segments(std::int64_t n) {
  return n > 1024 ? round_up(n, 1024) : static_cast<std::int64_t>(std::bit_ceil(static_cast<std::uint64_t>(n)));
}

// What cuDNN keeps of a segment's head between the passes of an exact gradient.
inline std::int64_t score_bytes(std::int64_t queries, std::int64_t keys) {
  return 2 * round_up(queries, 128) * round_up(keys, 128);
}

// The largest number of heads, of those that divide them, whose scores are not above the limit; at least one.
inline std::int64_t heads_at_a_time(std::int64_t heads, std::int64_t bytes_a_head, std::int64_t limit) {
  for (std::int64_t parts = 1; parts < heads; ++parts)
    if (heads % parts == 0 && heads / parts * bytes_a_head <= limit) return heads / parts;
  return 1;
}

namespace attention_choice {

inline bool knows(const AttentionSizes& x) {
  return x.segments > 0 && x.queries > 0 && x.keys > 0 && x.longest_query > 0 && x.longest_key > 0 &&
         x.longest_query <= x.queries && x.longest_key <= x.keys && x.segments * x.longest_query >= x.queries &&
         x.segments * x.longest_key >= x.keys;
}

inline bool serves(const AttentionSizes& x, bool ragged, bool backward, const AttentionSetting& setting) {
  if (setting.cudnn < kOldestCudnn || setting.major < 8 || x.head_width % 8 != 0 || x.head_width > 128) return false;
  if (!backward) return true;
  if (x.longest_query == 1 && x.longest_key == 1) return false;
  // Ragged gradients are Hopper's, heads in whole tensor core tiles; on the datacentre Blackwells they are not exact
  // without engines chosen by hand.
  if (ragged && (x.head_width % 16 != 0 || (setting.major != 9 && setting.major != 10))) return false;
  return setting.major == 9 || (setting.major == 8 && !ragged) || !setting.exact;
}

}  // namespace attention_choice

inline AttentionChoice choose_attention(const AttentionSizes& x, bool backward, const AttentionSetting& setting) {
  using namespace attention_choice;
  if (!knows(x)) return {};
  AttentionChoice choice;
  choice.ragged = x.queries != x.segments * x.longest_query || x.keys != x.segments * x.longest_key;
  if (!serves(x, choice.ragged, backward, setting)) return {};
  choice.queries = choice.ragged ? rounded_length(x.longest_query) : x.longest_query;
  choice.keys = choice.ragged ? rounded_length(x.longest_key) : x.longest_key;
  choice.heads = x.heads;
  std::int64_t most = kMostSegments;
  if (backward && setting.exact) {
    const std::int64_t head = score_bytes(choice.queries, choice.keys);
    if (head > 4 * setting.scores) return {};
    choice.heads = heads_at_a_time(x.heads, head, setting.scores);
    most = std::clamp<std::int64_t>(setting.scores / (head * choice.heads), 1, most);
  }
  most = power_of_two_up_to(most);
  const std::int64_t padded = rounded_segments(x.segments);
  if (choice.ragged) {
    const std::int64_t each = std::min(padded, most);
    choice.segments.assign(static_cast<std::size_t>((x.segments + each - 1) / each), each);
  } else {
    for (std::int64_t left = x.segments; left > 0; left -= choice.segments.back())
      choice.segments.push_back(power_of_two_up_to(std::min(left, most)));
  }
  const auto runs = static_cast<std::int64_t>(choice.segments.size()) * (x.heads / choice.heads);
  choice.served = runs <= kMostRuns;
  return choice;
}

}  // namespace strata::cuda
