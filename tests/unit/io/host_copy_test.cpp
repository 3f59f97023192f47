// SPDX-License-Identifier: Apache-2.0
#include "strata/io/host_copy.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>

#include "strata/runtime/context.hpp"

namespace strata::io {
namespace {

Tensor counted(const Shape& shape) {
  Tensor tensor = host_tensor(DType::f32, shape);
  std::iota(tensor.data<float>(), tensor.data<float>() + tensor.numel(), 0.0f);
  return tensor;
}

TEST(HostCopy, DenseCopyOfAnyView) {
  const Tensor whole = counted({2, 3, 4});
  EXPECT_TRUE(dense_on_host(whole).same_view(whole));
  const Tensor view = whole.transpose(0, 2).slice(1, 1, 3);  // [4, 2, 2]
  const Tensor copy = dense_on_host(view);
  EXPECT_TRUE(copy.is_dense());
  ASSERT_EQ(copy.shape(), Shape({4, 2, 2}));
  for (int i = 0; i < 4; ++i)
    for (int j = 0; j < 2; ++j)
      for (int k = 0; k < 2; ++k)
        EXPECT_EQ(copy.data<float>()[(i * 2 + j) * 2 + k], static_cast<float>((k * 3 + j + 1) * 4 + i));
}

TEST(HostCopy, FindsTheFirstNonFinite) {
  Tensor tensor = counted({3, 5000});
  EXPECT_FALSE(first_non_finite(tensor));
  tensor.data<float>()[14999] = std::numeric_limits<float>::infinity();
  EXPECT_EQ(first_non_finite(tensor), 14999);
  tensor.data<float>()[9003] = -std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(first_non_finite(tensor), 9003);
  EXPECT_EQ(index_of(9003, tensor.shape()), "[1, 4003]");
  EXPECT_EQ(index_of(0, Shape{}), "[]");
  tensor.data<float>()[0] = std::numeric_limits<float>::max();
  EXPECT_EQ(first_non_finite(tensor), 9003);
}

TEST(HostCopy, FindsNonFiniteOfEveryFloatingType) {
  for (const DType dtype : {DType::f32, DType::bf16, DType::f64}) {
    Tensor tensor = convert_floating(counted({7}), dtype);
    EXPECT_FALSE(first_non_finite(tensor));
    const Tensor source = counted({7});
    source.data<float>()[6] = std::nanf("");
    EXPECT_EQ(first_non_finite(convert_floating(source, dtype)), 6) << name_of(dtype);
  }
  Tensor integers = host_tensor(DType::i32, Shape{1});
  integers.data<std::int32_t>()[0] = 0x7f800000;
  EXPECT_FALSE(first_non_finite(integers));
  EXPECT_FALSE(first_non_finite(host_tensor(DType::f32, Shape{0})));
}

TEST(HostCopy, ConvertsBetweenFloatingTypes) {
  const Tensor values = host_tensor(DType::f64, Shape{4});
  const double numbers[] = {1.0, -3.14159265358979, 1e-40, 1e300};
  std::copy(std::begin(numbers), std::end(numbers), values.data<double>());
  const Tensor single = convert_floating(values, DType::f32);
  const Tensor half = convert_floating(values, DType::bf16);
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(single.data<float>()[i], static_cast<float>(numbers[i]));
    EXPECT_EQ(half.data<BFloat16>()[i].bits, BFloat16(static_cast<float>(numbers[i])).bits);
  }
  EXPECT_TRUE(convert_floating(values, DType::f64).same_view(values));
  EXPECT_EQ(convert_floating(half, DType::f64).data<double>()[1],
            static_cast<double>(static_cast<float>(half.data<BFloat16>()[1])));
}

// Every one of the 65,536 values, against the definition (-1)^s · 2^(e-15) · (1 + f/1024).
TEST(HostCopy, HalfPrecisionIsExact) {
  for (std::uint32_t bits = 0; bits < 65536; ++bits) {
    const double sign = (bits & 0x8000u) != 0 ? -1.0 : 1.0;
    const int exponent = static_cast<int>((bits >> 10) & 31u);
    const double fraction = bits & 0x3ffu;
    const float got = float_from_half(static_cast<std::uint16_t>(bits));
    if (exponent == 31) {
      EXPECT_EQ(std::isnan(got), fraction != 0) << bits;
      EXPECT_EQ(std::isinf(got), fraction == 0) << bits;
    } else {
      const double expected =
          exponent == 0 ? sign * std::ldexp(fraction, -24) : sign * std::ldexp(1024 + fraction, exponent - 25);
      EXPECT_EQ(static_cast<double>(got), expected) << bits;
    }
    EXPECT_EQ(std::signbit(got), sign < 0) << bits;
  }
}

}  // namespace
}  // namespace strata::io
