// SPDX-License-Identifier: Apache-2.0
//
// Which kernel serves which op, as data. A backend fills a table in one explicit function, one line an op file; an
// entry is a typed function, a name for people, and a predicate over the op and its inputs' shapes and types. "Is it
// supported" is "is it in the table", so a plan can be checked before a job starts and `strata info` can print what a
// build can do. Lookups cost a hash and a few predicate calls.
#pragma once

#include <concepts>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <typeindex>
#include <unordered_map>
#include <vector>

#include "strata/tensor/tensor.hpp"

namespace strata {

class Context;

using Inputs = std::span<const Tensor>;   // undefined where an optional input was not given
using Outputs = std::span<const Tensor>;  // memory is there; kernels write into it
using Specs = std::span<const TensorSpec>;

template <class Op>
using Kernel = void (*)(const Op&, Inputs, Outputs, Context&);
template <class Op>
using Predicate = bool (*)(const Op&, Specs inputs);

class KernelTable {
 public:
  using Run = std::function<void(const void* op, Inputs, Outputs, Context&)>;
  struct Entry {
    std::string op;      // "softmax"
    std::string kernel;  // "reference", "avx512 f32", "oneDNN matmul", ...
    std::function<bool(const void* op, Specs inputs)> serves;
    Run run;
    // Ops as values, for who keeps them (step_graphs.hpp).
    std::shared_ptr<const void> (*copy)(const void* op);
    bool (*same)(const void* a, const void* b);
  };

  explicit KernelTable(std::string backend) : backend_(std::move(backend)) {}

  // Entries of one op are asked in the order they were added.
  template <class Op>
  void add(std::string_view kernel, Kernel<Op> run, Predicate<Op> serves) {
    put(typeid(Op), {std::string(Op::kName), std::string(kernel),
                     [serves](const void* op, Specs inputs) { return serves(*static_cast<const Op*>(op), inputs); },
                     [run](const void* op, Inputs in, Outputs out, Context& ctx) {
                       run(*static_cast<const Op*>(op), in, out, ctx);
                     },
                     copy_of<Op>, are_same<Op>});
  }

  // Ask `other` for what this table lacks. Both must work on the same device's memory; `other` must outlive this table.
  void set_fallback(const KernelTable* other) { fallback_ = other; }

  // The same entries, each running what `wrap` makes of it: timed, recorded, or not at all. The copy has no fallback,
  // and the entries given to `wrap` must outlive it.
  KernelTable wrapped(const std::function<Run(const Entry&)>& wrap) const;

  // nullptr when nothing serves it.
  const Entry* find(std::type_index op, const void* value, Specs inputs) const;
  template <class Op>
  const Entry* find(const Op& op, Specs inputs) const {
    return find(typeid(Op), &op, inputs);
  }

  const std::string& backend() const { return backend_; }
  std::vector<const Entry*> entries() const;  // own entries, sorted by op, in the order they are asked
  const KernelTable* fallback() const { return fallback_; }

 private:
  template <class Op>
  static std::shared_ptr<const void> copy_of(const void* op) {
    return std::make_shared<const Op>(*static_cast<const Op*>(op));
  }
  template <class Op>
  static bool are_same(const void* a, const void* b) {
    static_assert(std::is_empty_v<Op> || std::equality_comparable<Op>, "an op with fields says when two are the same");
    if constexpr (std::is_empty_v<Op>)
      return true;
    else
      return *static_cast<const Op*>(a) == *static_cast<const Op*>(b);
  }
  void put(std::type_index op, Entry entry);

  std::string backend_;
  std::unordered_map<std::type_index, std::vector<Entry>> entries_;
  const KernelTable* fallback_ = nullptr;
};

// Predicates that many entries share.
namespace serves {
template <class Op>
bool anything(const Op&, Specs) {
  return true;
}
// The first input decides: its type is T.
template <DType T, class Op>
bool first_is(const Op&, Specs inputs) {
  return !inputs.empty() && inputs[0].dtype == T;
}
template <class Op>
bool f32(const Op& op, Specs inputs) {
  return first_is<DType::f32>(op, inputs);
}
}  // namespace serves

}  // namespace strata
