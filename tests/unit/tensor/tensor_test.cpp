// SPDX-License-Identifier: Apache-2.0
#include "strata/tensor/tensor.hpp"

#include <gtest/gtest.h>

#include <numeric>
#include <vector>

#include "strata/base/error.hpp"
#include "strata/tensor/placement.hpp"

namespace strata {
namespace {

// A tensor over memory that the test owns; element i holds i.
struct Counting {
  explicit Counting(const Shape& shape) : memory(static_cast<std::size_t>(shape.numel())) {
    std::iota(memory.begin(), memory.end(), 0.0f);
    tensor = Tensor::borrow(memory.data(), DType::f32, shape);
  }
  std::vector<float> memory;
  Tensor tensor;
};

template <class F>
std::string message_of(F f) {
  try {
    f();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(DType, NamesAndSizes) {
  for (const auto dtype : {DType::f32, DType::bf16, DType::f64, DType::i32, DType::i64, DType::u8, DType::i16})
    EXPECT_EQ(parse_dtype(name_of(dtype)), dtype);
  EXPECT_EQ(size_of(DType::bf16), 2u);
  EXPECT_TRUE(is_floating(DType::bf16));
  EXPECT_FALSE(is_floating(DType::i64));
  EXPECT_NE(message_of([] { parse_dtype("bf61"); }).find("did you mean 'bf16'?"), std::string::npos);
}

TEST(Shape, CountsAndResolves) {
  const Shape shape{2, 3, 5};
  EXPECT_EQ(shape.numel(), 30);
  EXPECT_EQ(shape[-1], 5);
  EXPECT_EQ(shape.outer(1), 2);
  EXPECT_EQ(shape.inner(1), 5);
  EXPECT_EQ(shape.outer(0), 1);
  EXPECT_EQ(shape.with(-2, 7), (Shape{2, 7, 5}));
  EXPECT_EQ(shape.without(0), (Shape{3, 5}));
  EXPECT_EQ(shape.append(4), (Shape{2, 3, 5, 4}));
  EXPECT_EQ(shape.str(), "[2, 3, 5]");
  EXPECT_EQ(Shape{}.numel(), 1);
  EXPECT_NE((Shape{2, 3}), (Shape{2, 3, 1}));
}

TEST(Shape, RefusesWhatItCannotHold) {
  EXPECT_EQ(message_of([] { (Shape{1, 2})[2]; }), "[shape] axis 2 does not exist in [1, 2]");
  EXPECT_EQ(message_of([] { Shape{2, -1}; }), "[shape] negative extent in [2, -1]");
  EXPECT_EQ(message_of([] { Shape{2}.with(0, -3); }), "[shape] negative extent in [-3]");
  EXPECT_THROW((Shape{1, 1, 1, 1, 1, 1, 1}), Error);
  EXPECT_THROW((Shape{1, 1, 1, 1, 1, 1}).append(1), Error);
  EXPECT_THROW((Shape{std::int64_t{1} << 40, std::int64_t{1} << 40}), Error);
}

TEST(Tensor, ViewsShareMemory) {
  const Counting t({4, 6});
  const Tensor column = t.tensor.slice(1, 2, 4);
  EXPECT_EQ(column.shape(), (Shape{4, 2}));
  EXPECT_EQ(column.data<float>()[column.stride(0)], 8.0f);
  EXPECT_TRUE(column.same_view(t.tensor.slice(-1, 2, 4)));
  EXPECT_FALSE(column.same_view(t.tensor.slice(1, 3, 5)));
  const Tensor turned = t.tensor.transpose(0, 1);
  EXPECT_EQ(turned.shape(), (Shape{6, 4}));
  EXPECT_EQ(turned.data<float>()[turned.stride(0) * 5 + turned.stride(1) * 3], 23.0f);
  EXPECT_EQ(t.tensor.reshape({2, -1}).shape(), (Shape{2, 12}));
}

TEST(Tensor, RefusesImpossibleViews) {
  const Counting t({4, 6});
  EXPECT_EQ(message_of([&] { t.tensor.slice(1, 3, 7); }), "[tensor] cannot take [3, 7) of axis 1 of [4, 6]");
  EXPECT_EQ(message_of([&] { t.tensor.reshape({5, 5}); }), "[tensor] cannot reshape [4, 6] to [5, 5]");
  EXPECT_THROW(t.tensor.reshape({5, -1}), Error);
  EXPECT_THROW(t.tensor.reshape({-1, -1}), Error);
  EXPECT_THROW(t.tensor.slice(1, 0, 3).reshape({12}), Error);
  EXPECT_THROW(t.tensor.slice(0, 0, 0).reshape({0, -1}), Error);  // any extent would do
  EXPECT_THROW(t.tensor.data<double>(), Error);
  EXPECT_THROW(Tensor().raw(), Error);
  EXPECT_THROW(Tensor(t.tensor.storage(), DType::f32, {4, 6}, 4), Error);  // behind the end
  EXPECT_THROW(Tensor(t.tensor.storage(), DType::f32, {4}, 2), Error);     // between two elements
}

TEST(Tensor, Density) {
  const Counting t({2, 3, 8});
  EXPECT_TRUE(t.tensor.is_dense());
  EXPECT_TRUE(t.tensor.slice(0, 1, 2).is_dense());
  EXPECT_FALSE(t.tensor.slice(1, 0, 2).is_dense());
  EXPECT_FALSE(t.tensor.slice(2, 0, 4).is_dense());
  EXPECT_TRUE(t.tensor.slice(1, 2, 2).is_dense()) << "without elements there are no gaps";
  EXPECT_EQ(t.tensor.slice(1, 2, 2).reshape({0, 5}).numel(), 0);
}

TEST(Tensor, RowsWithALeadingDimension) {
  const Counting t({2, 3, 8});
  const Tensor block = t.tensor.slice(2, 2, 5);
  ASSERT_TRUE(block.is_row_dense());
  EXPECT_EQ(block.row_stride(), 8);
  const Tensor rows = block.rows();
  EXPECT_EQ(rows.shape(), (Shape{6, 3}));
  EXPECT_EQ(rows.data<float>()[5 * rows.stride(0) + 2], 44.0f);
  EXPECT_FALSE(t.tensor.slice(1, 0, 2).is_row_dense()) << "two row strides";
  EXPECT_FALSE(t.tensor.transpose(1, 2).is_row_dense());
}

TEST(Tensor, SingleRowsAreRowDenseToo) {
  const Counting t({4, 1, 8});
  const Tensor block = t.tensor.slice(2, 2, 5);  // [4, 1, 3]: the middle axis says nothing about the stride
  ASSERT_TRUE(block.is_row_dense());
  EXPECT_EQ(block.row_stride(), 8);
  EXPECT_EQ(block.rows().data<float>()[3 * 8 + 2], 28.0f);
  const Tensor one = t.tensor.slice(0, 1, 2).slice(2, 2, 5);
  ASSERT_TRUE(one.is_row_dense());
  EXPECT_GE(one.row_stride(), 3);
  const Counting column({5, 1});
  const Tensor row = column.tensor.transpose(0, 1);  // [1, 5]
  ASSERT_TRUE(row.is_row_dense());
  EXPECT_GE(row.row_stride(), 5) << "matrix libraries refuse a leading dimension below the width";
}

TEST(Tensor, RowsOfEmptyTensorsKeepTheirNumber) {
  const Counting t({4, 6});
  EXPECT_EQ(t.tensor.slice(1, 2, 2).rows().shape(), (Shape{4, 0}));
  EXPECT_EQ(t.tensor.slice(0, 2, 2).rows().shape(), (Shape{0, 6}));
}

TEST(Storage, CountsVersionsAndHasItsOwnId) {
  const Counting a({2}), b({2});
  EXPECT_NE(a.tensor.storage()->id(), b.tensor.storage()->id());
  const auto before = a.tensor.storage()->version();
  a.tensor.storage()->bump_version();
  EXPECT_EQ(a.tensor.storage()->version(), before + 1);
}

TEST(Placement, ARankHoldsItsHeads) {
  // The fused qkv weight [3C, C] with 4 heads of 8, cut into two: each part has heads of q, k and v.
  const Placement whole = Placement::whole({{"qkv", 3}, {"heads", 4}, {"head_width", 8}, {"embed", 32}});
  EXPECT_TRUE(whole.is_whole());
  const Placement part = whole.shard("heads", 1, 2);
  EXPECT_FALSE(part.is_whole());
  EXPECT_EQ(part.begin, (std::vector<std::int64_t>{0, 2, 0, 0}));
  EXPECT_EQ(part.numel(), 3 * 2 * 8 * 32);
  EXPECT_EQ(part.local_shape({96, 32}), (Shape{48, 32}));
  EXPECT_EQ(part.shard("heads", 1, 2).begin[1], 3);
  EXPECT_EQ(whole.local_shape({96, 32}), (Shape{96, 32}));
}

TEST(Placement, RefusesWhatDoesNotDivideOrFold) {
  const Placement whole = Placement::whole({{"heads", 6}, {"embed", 32}});
  EXPECT_EQ(message_of([&] { whole.shard("heads", 0, 4); }),
            "[placement] axis 'heads' of 6 does not divide into 4 parts: choose a group size that divides it");
  EXPECT_THROW(whole.shard("mlp", 0, 2), Error);
  EXPECT_THROW(whole.shard("heads", 2, 2), Error);
  EXPECT_THROW(whole.local_shape({7, 32}), Error);
  EXPECT_THROW(whole.local_shape({6}), Error) << "an axis is left over";
}

TEST(Placement, AxesOfOneFold) {
  const Placement whole = Placement::whole({{"prefix", 1}, {"embed", 32}, {"head_width", 1}});
  EXPECT_EQ(whole.local_shape({1, 1, 32}), (Shape{1, 1, 32}));
  EXPECT_EQ(whole.shard("embed", 0, 4).local_shape({1, 1, 32}), (Shape{1, 1, 8}));
}

}  // namespace
}  // namespace strata
