// SPDX-License-Identifier: Apache-2.0
//
// What decisions are worth: the confusion matrix and all that is read off it. Definitions and results are
// scikit-learn's (confusion_matrix, precision_recall_fscore_support with zero_division 0, balanced_accuracy_score). A
// column of a multi-label task is a matrix of two classes, 0 absent and 1 present. O(n + k²).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace strata::metrics {

class ConfusionMatrix {
 public:
  explicit ConfusionMatrix(std::int64_t classes);
  // Classes are 0 … classes − 1; others are a usage error.
  ConfusionMatrix(std::int64_t classes, std::span<const std::int32_t> truths,
                  std::span<const std::int32_t> predictions);

  void add(std::int32_t truth, std::int32_t prediction, std::int64_t times = 1);

  std::int64_t classes() const { return classes_; }
  std::int64_t count(std::int64_t truth, std::int64_t prediction) const;
  std::int64_t all() const;
  std::int64_t truths(std::int64_t of) const;       // the sum of a row
  std::int64_t predictions(std::int64_t of) const;  // the sum of a column

 private:
  std::int64_t classes_;
  std::vector<std::int64_t> counts_;  // [truth, prediction]
};

// Of one class against all others; 0 where the denominator is 0.
double precision(const ConfusionMatrix& matrix, std::int64_t of);
double recall(const ConfusionMatrix& matrix, std::int64_t of);
double f1(const ConfusionMatrix& matrix, std::int64_t of);

// Of an empty matrix each is NaN.
double accuracy(const ConfusionMatrix& matrix);
double balanced_accuracy(const ConfusionMatrix& matrix);  // mean recall of the classes that some truth has

enum class Average : std::uint8_t {
  macro,     // over the classes that stand in truths or predictions
  weighted,  // by how many truths a class has
};

struct ClassificationScores {
  double precision = 0, recall = 0, f1 = 0;
};
ClassificationScores averaged(const ConfusionMatrix& matrix, Average how);

}  // namespace strata::metrics
