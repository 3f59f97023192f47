// SPDX-License-Identifier: Apache-2.0
#include "strata/data/subset_source.hpp"

#include <gtest/gtest.h>

#include "tests/fixtures/expect_error.hpp"
#include "tests/fixtures/memory_source.hpp"

namespace strata::data {
namespace {

using fixtures::MemorySource;
using fixtures::MemorySourceOptions;

std::shared_ptr<MemorySource> twelve_studies() {
  MemorySourceOptions options;
  options.studies = 12;
  return std::make_shared<MemorySource>(options);
}

std::vector<std::string> keys(const StudySource& source) {
  std::vector<std::string> result;
  for (std::int64_t i = 0; i < source.studies(); ++i) result.emplace_back(source.key(i));
  return result;
}

// The fixture: every fourth study is of split val without a fold, the others of train with fold i mod 3; study i has i
// mod 5 sentences.
TEST(SelectStudies, BySplitFoldAndReport) {
  const auto all = twelve_studies();
  EXPECT_EQ(keys(*select_studies(all, {.splits = {"val"}})),
            (std::vector<std::string>{"memory-3", "memory-7", "memory-11"}));
  EXPECT_EQ(keys(*select_studies(all, {.folds = {0}})), (std::vector<std::string>{"memory-0", "memory-6", "memory-9"}));
  EXPECT_EQ(keys(*select_studies(all, {.splits = {"train"}, .without_folds = {0, 1}})),
            (std::vector<std::string>{"memory-2", "memory-5", "memory-8"}));
  EXPECT_EQ(keys(*select_studies(all, {.splits = {"train"}, .without_folds = {0, 1}, .with_report = true})),
            (std::vector<std::string>{"memory-2", "memory-8"}));
  EXPECT_EQ(select_studies(all, {})->studies(), 12);
  const auto several = select_studies(all, {.min_scans = 3});
  for (std::int64_t i = 0; i < several->studies(); ++i) EXPECT_GE(several->scans(i), 3);
}

TEST(SelectStudies, ReadsTheStudyBehind) {
  const auto all = twelve_studies();
  const auto val = select_studies(all, {.splits = {"val"}});
  EXPECT_EQ(val->name(), "memory (split val)");
  std::vector<std::byte> voxels(static_cast<std::size_t>(val->grid().scan_bytes()));
  const std::vector<ReadRequest> requests{{.study = 1, .scan = 0, .first_slice = 0, .slices = 4, .into = voxels}};
  val->read(requests);
  for (std::size_t i = 0; i < voxels.size(); ++i) ASSERT_EQ(voxels[i], all->voxel(7, 0, static_cast<std::int64_t>(i)));
  EXPECT_EQ(val->report(1), all->report(7));
  EXPECT_EQ(val->scans(1), all->scans(7));
  EXPECT_EQ(val->labels(1)[0], 7.0F);
}

TEST(SelectStudies, SaysWhatThereIsWhenNothingIsLeft) {
  fixtures::expect_error([] { select_studies(twelve_studies(), {.splits = {"test"}}); }, ErrorKind::data,
                         "[memory] no study is of split 'test': it holds 12 studies, 9 with a report; splits: 'train', "
                         "'val'; folds: 0, 1, 2");
  fixtures::expect_error(
      [] {
        select_studies(twelve_studies(), {.splits = {"val"}, .folds = {1, 2}});
      },
      ErrorKind::data,
      "[memory] no study is left by \"split val, fold 1 or 2\": it holds 12 studies, 9 with a "
      "report; splits: 'train', 'val'; folds: 0, 1, 2");
}

}  // namespace
}  // namespace strata::data
