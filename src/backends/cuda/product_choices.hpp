// SPDX-License-Identifier: Apache-2.0
//
// Which algorithm of cuBLASLt serves which product: asked once, kept with the device's backend. Thread-safe.
#pragma once

#include <cublasLt.h>

#include <cstdint>
#include <map>
#include <mutex>
#include <tuple>

#include "strata/runtime/context.hpp"

namespace strata::cuda {

class ProductChoices {
 public:
  // All that an algorithm was chosen for: sizes, form, leading dimensions, types, the least alignment.
  using Key = std::tuple<std::int64_t, std::int64_t, std::int64_t, std::int64_t, int, std::int64_t, std::int64_t,
                         std::int64_t, std::int64_t, int, std::uint32_t>;
  struct Choice {
    bool served = false;
    cublasLtMatmulAlgo_t algorithm{};
    std::size_t workspace = 0;
  };

  template <class Make>
  Choice of(const Key& key, const Make& make) {
    const std::scoped_lock lock(mutex_);
    const auto at = known_.find(key);
    return at != known_.end() ? at->second : known_.emplace(key, make()).first->second;
  }

 private:
  std::mutex mutex_;
  std::map<Key, Choice> known_;
};

struct ProductTools {
  cublasLtHandle_t handle;
  ProductChoices& choices;
};
ProductTools product_tools(const Context& ctx);  // of its backend

}  // namespace strata::cuda
