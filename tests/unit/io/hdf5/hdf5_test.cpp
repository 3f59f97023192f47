// SPDX-License-Identifier: Apache-2.0
// Files in memory and on disk: what is written is read, the same calls make the same bytes, and what does not fit is
// named.
#include <gtest/gtest.h>

#include <cstring>
#include <thread>

#include "io/hdf5/file.hpp"
#include "parallel/comm/local.hpp"
#include "tests/fixtures/expect_error.hpp"
#include "tests/fixtures/scratch_folder.hpp"

namespace strata::io::hdf5 {
namespace {

using fixtures::message_of;

constexpr std::uint64_t kUserBlock = 4096;

void write_columns(File& file) {
  file.write_attribute("/", "schema", std::int64_t{7});
  file.write_attribute("/", "scale", 0.25);
  file.write_attribute("/", "format", std::string("test"));
  file.make_group("/table");
  file.write("/table/count", std::vector<std::int64_t>{1, -2, 3}, {3});
  file.write("/table/matrix", std::vector<float>{1, 2, 3, 4, 5, 6}, {2, 3});
  file.write("/table/none", std::vector<double>{}, {0});
  file.write_texts("/table/name", {"a", "", "long name"});
}

// The bytes of a file whose bulk, of `slices` slices a chunk, counts up.
std::string made(std::uint64_t slices, Extents extents = {2, 2, 6, 3, 5}) {
  SparseImage image;
  File file = File::create(image, "made.h5", kUserBlock);
  write_columns(file);
  std::uint64_t at = 0;
  {
    const Dataset bulk = file.make_bulk("/bulk", Element::i16, extents, {1, 1, slices, extents[3], extents[4]});
    at = bulk.address().value_or(0);
  }
  file.close();
  std::string bytes(image.size(), '\0');
  image.visit(0, image.size(), [&](std::uint64_t begin, std::span<const std::byte> part) {
    std::memcpy(bytes.data() + begin, part.data(), part.size());
  });
  std::uint64_t count = 1;
  for (const auto extent : extents) count *= extent;
  for (std::uint64_t i = 0; at > 0 && i < count; ++i) {
    const auto value = static_cast<std::int16_t>(i);
    std::memcpy(bytes.data() + at + 2 * i, &value, 2);
  }
  return bytes;
}

SparseImage image_of(const std::string& bytes) {
  SparseImage image;
  image.write(0, std::as_bytes(std::span(bytes)));
  return image;
}

TEST(Hdf5, WhatIsWrittenIsRead) {
  SparseImage image = image_of(made(3));
  const File file = File::open(image, "made.h5");
  EXPECT_EQ(file.read_integer("/", "schema"), 7);
  EXPECT_EQ(file.read_real("/", "scale"), 0.25);
  EXPECT_EQ(file.read_text("/", "format", 10), "test");
  EXPECT_EQ(file.read<std::int64_t>("/table/count", {3}), (std::vector<std::int64_t>{1, -2, 3}));
  EXPECT_EQ(file.read<float>("/table/matrix", {2, 3}), (std::vector<float>{1, 2, 3, 4, 5, 6}));
  EXPECT_TRUE(file.read<double>("/table/none", {0}).empty());
  EXPECT_EQ(file.read_texts("/table/name", 3, 100), (std::vector<std::string>{"a", "", "long name"}));
  EXPECT_TRUE(file.has("/table/count"));
  EXPECT_FALSE(file.has("/table/absent"));
  EXPECT_FALSE(file.has("/absent/count"));
  const DatasetFacts facts = file.facts("/bulk");
  EXPECT_EQ(facts.element, Element::i16);
  EXPECT_EQ(facts.extents, (Extents{2, 2, 6, 3, 5}));
  EXPECT_EQ(facts.chunk, (Extents{1, 1, 3, 3, 5}));
}

TEST(Hdf5, TheSameCallsMakeTheSameBytes) { EXPECT_EQ(made(3), made(3)); }

TEST(Hdf5, BlocksAreWhatLiesAtTheAddress) {
  const fixtures::ScratchFolder scratch;
  for (const std::uint64_t slices : {1U, 2U, 3U, 6U}) {
    fixtures::write_all(scratch.file("made.h5"), made(slices));
    const File file = File::open(scratch.file("made.h5"));
    const Dataset bulk = file.dataset("/bulk");
    std::vector<std::int16_t> block(2 * 4 * 3 * 5);
    bulk.read({1, 0, 1, 0, 0}, {1, 2, 4, 3, 5}, std::as_writable_bytes(std::span(block)));
    for (std::size_t c = 0; c < 2; ++c)
      for (std::size_t i = 0; i < 60; ++i)
        ASSERT_EQ(block[c * 60 + i], static_cast<std::int16_t>(180 + c * 90 + 15 + i)) << slices;
    EXPECT_EQ(bulk.address(), std::nullopt) << "of files in memory only";
  }
}

TEST(Hdf5, ChunksThatDoNotDivideTheExtentsHaveNoAddress) {
  SparseImage image;
  File file = File::create(image, "made.h5", kUserBlock);
  EXPECT_EQ(file.make_bulk("/padded", Element::u8, {2, 5}, {1, 2}).address(), std::nullopt);
  EXPECT_EQ(file.make_bulk("/tiles", Element::u8, {4, 4}, {2, 2}).address(), std::nullopt);
  EXPECT_TRUE(file.make_bulk("/rows", Element::u8, {4, 4}, {2, 4}).address().has_value());
}

TEST(Hdf5, ALargeBulkTakesNoMemoryAndLiesOnAPage) {
  SparseImage image;
  File file = File::create(image, "made.h5", kUserBlock);
  const Extents extents{100'000, 1, 32, 256, 256};  // 195 GiB
  {
    const Dataset bulk = file.make_bulk("/bulk", Element::u8, extents, {1, 1, 32, 256, 256});
    EXPECT_EQ(bulk.address().value_or(1) % 4096, 0U);
  }
  file.close();
  EXPECT_GT(image.size(), std::uint64_t{100'000} << 21);
  std::uint64_t held = 0;
  image.visit_written([&](std::uint64_t, std::span<const std::byte> part) { held += part.size(); });
  EXPECT_LT(held, 1U << 20);
}

TEST(Hdf5, WhatDoesNotFitIsNamed) {
  SparseImage image = image_of(made(3));
  const File file = File::open(image, "made.h5");
  const auto said = [&](auto&& work) { return message_of(work, ErrorKind::data); };
  EXPECT_EQ(said([&] { file.read<float>("/table/count", {3}); }),
            "[hdf5] /table/count of 'made.h5' is i64[3], not f32[3]");
  EXPECT_EQ(said([&] { file.read<std::int64_t>("/table/count", {4}); }),
            "[hdf5] /table/count of 'made.h5' is i64[3], not i64[4]");
  EXPECT_NE(said([&] { file.read<float>("/table/absent", {3}); }).find("cannot find /table/absent of 'made.h5'"),
            std::string::npos);
  EXPECT_NE(said([&] { file.read_texts("/table/name", 3, 5); }).find("is not 3 texts of at most 5 bytes"),
            std::string::npos);
  EXPECT_NE(said([&] { file.read_integer("/", "scale"); }).find("attribute scale at / of made.h5 is not i64"),
            std::string::npos);
  EXPECT_NE(said([&] { file.read_text("/", "format", 3); }).find("a text of at most 3 bytes"), std::string::npos);
  EXPECT_NE(said([&] { file.read_integer("/", "absent"); }).find("cannot find attribute absent"), std::string::npos);
}

TEST(Hdf5, FilesThatAreNoneAreNamed) {
  const fixtures::ScratchFolder scratch;
  fixtures::write_all(scratch.file("text.h5"), "this is a text");
  EXPECT_NE(message_of([&] { File::open(scratch.file("text.h5")); }, ErrorKind::data).find("is not a HDF5 file"),
            std::string::npos);
  EXPECT_NE(message_of([&] { File::open(scratch.file("absent.h5")); }, ErrorKind::data)
                .find("No such file or directory: check the path"),
            std::string::npos);
  const auto local = comm::make_local();
  EXPECT_NE(message_of([&] { File::open(scratch.file("text.h5"), *local); }, ErrorKind::usage)
                .find("transport 'local' cannot read over MPI-IO"),
            std::string::npos);
  SparseImage cut = image_of(made(3).substr(0, 5000));
  EXPECT_NE(message_of([&] { File::open(cut, "cut.h5"); }, ErrorKind::data).find("of 'cut.h5'"), std::string::npos);
}

TEST(Hdf5, ThreadsTakeTurns) {
  const std::string bytes = made(3);
  std::vector<std::thread> threads;
  std::vector<int> wrong(6);
  for (std::size_t t = 0; t < wrong.size(); ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 20; ++i) {
        SparseImage image = image_of(bytes);
        const File file = File::open(image, "made.h5");
        wrong[t] += file.read<std::int64_t>("/table/count", {3}) != std::vector<std::int64_t>{1, -2, 3};
        wrong[t] += made(2) != made(2);
      }
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(wrong, std::vector<int>(6));
}

}  // namespace
}  // namespace strata::io::hdf5
