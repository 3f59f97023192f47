// SPDX-License-Identifier: Apache-2.0
//
// How parameters start. A value depends on (seed, path of the parameter, element) alone, so it is the same whatever the
// order of construction, the number of ranks or how the tensor is cut.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "strata/runtime/context.hpp"

namespace strata::nn {

class Module;

// truncated_normal: as timm and torch.nn.init.trunc_normal_, mean 0, standard deviation `value`, cut at ±2 (absolute),
// by the inverse distribution function. normal: not cut. uniform: in ±value. constant: `value`.
struct Init {
  enum class Kind : std::uint8_t { constant, normal, truncated_normal, uniform };
  Kind kind = Kind::constant;
  double value = 0;

  static Init zeros() { return {Kind::constant, 0}; }
  static Init ones() { return {Kind::constant, 1}; }
  static Init normal(double deviation) { return {Kind::normal, deviation}; }
  static Init truncated_normal(double deviation) { return {Kind::truncated_normal, deviation}; }
  static Init uniform(double bound) { return {Kind::uniform, bound}; }
};

// A parameter's stream of random numbers, by its name.
std::uint64_t name_hash(const std::string& name);

// The values a tensor of `count` elements starts with.
std::vector<double> initial_values(const Init& init, std::uint64_t seed, const std::string& name, std::int64_t count);

// Sets every parameter of the tree (not the buffers) from its Init; paths count from `root`.
void initialise(const Context& ctx, Module& root, std::uint64_t seed);

double inverse_erf(double x);  // x in (-1, 1), to about 1e-15

// A device tensor of `dtype` from doubles.
Tensor tensor_from(const Context& ctx, DType dtype, const Shape& shape, const std::vector<double>& values);

}  // namespace strata::nn
