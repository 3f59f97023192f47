// SPDX-License-Identifier: Apache-2.0
#include "strata/data/shuffled_reports.hpp"

#include "strata/data/permutation.hpp"

namespace strata::data {
namespace {

class ShuffledReports final : public StudySource {
 public:
  ShuffledReports(std::shared_ptr<const StudySource> source, std::uint64_t seed)
      : source_(std::move(source)), order_(source_->studies(), seed, 0) {}

  const std::string& name() const override { return source_->name(); }
  std::int64_t studies() const override { return source_->studies(); }
  const study::StoredGrid& grid() const override { return source_->grid(); }
  const std::vector<std::string>& label_names() const override { return source_->label_names(); }
  std::int64_t scans(std::int64_t study) const override { return source_->scans(study); }
  std::string_view key(std::int64_t study) const override { return source_->key(study); }
  std::string_view split(std::int64_t study) const override { return source_->split(study); }
  std::int64_t fold(std::int64_t study) const override { return source_->fold(study); }
  std::span<const float> labels(std::int64_t study) const override { return source_->labels(study); }
  void read(std::span<const ReadRequest> requests) const override { source_->read(requests); }
  bool collective() const override { return source_->collective(); }

  std::vector<std::string> report(std::int64_t study) const override {
    return source_->report(order_((order_.inverse(study) + 1) % studies()));
  }

 private:
  std::shared_ptr<const StudySource> source_;
  Permutation order_;
};

}  // namespace

std::shared_ptr<const StudySource> with_shuffled_reports(std::shared_ptr<const StudySource> source,
                                                         std::uint64_t seed) {
  return std::make_shared<ShuffledReports>(std::move(source), seed);
}

}  // namespace strata::data
