// SPDX-License-Identifier: Apache-2.0
#include "strata/objectives/contrastive.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "strata/ops/cross_entropy.hpp"
#include "strata/ops/elementwise.hpp"
#include "strata/ops/exp.hpp"
#include "strata/ops/l2_normalize.hpp"
#include "strata/ops/matmul.hpp"
#include "strata/ops/reduce.hpp"
#include "strata/ops/sigmoid_cross_entropy.hpp"

namespace strata::objectives {
namespace {

void check(std::string_view subject, const Tensor& image, const Tensor& text) {
  STRATA_CHECK(
      image.ndim() == 2 && image.shape() == text.shape() && image.dtype() == text.dtype(), usage, subject,
      fmt::format("image features {} and text features {} are no pairs", image.spec().str(), text.spec().str()),
      "give one row a study in both");
}

// One modality's features: of this rank's rows and of all.
struct Side {
  Tensor unit, norm;  // [b, C], [b]
  Tensor scaled;      // [b, C]: the scale times unit
  Tensor all;         // [G, C]: everybody's unit rows
  std::int64_t first = 0;
};

Side side_of(Context& ctx, GlobalBatch& batch, const Tensor& features, const Tensor& scale) {
  const auto unit = ops::run(ctx, ops::L2Normalize{}, {features});
  const auto rows = batch.gather_rows(ctx, unit[0]);
  return {unit[0], unit[1], ops::run1(ctx, ops::Mul{}, {unit[0], scale}), rows.all, rows.first};
}

// Calls f(begin, end) for blocks of rows.
template <class F>
void each_block(std::int64_t rows, const ContrastiveOptions& options, const F& f) {
  STRATA_CHECK(options.block_rows > 0, usage, "contrastive", "blocks of no rows");
  for (std::int64_t begin = 0; begin < rows; begin += options.block_rows)
    f(begin, std::min(rows, begin + options.block_rows));
}

// Which column of the logits each row in [begin, end) belongs to.
Tensor matches(const Context& ctx, const Side& side, std::int64_t begin, std::int64_t end) {
  std::vector<std::int64_t> columns(static_cast<std::size_t>(end - begin));
  std::iota(columns.begin(), columns.end(), side.first + begin);
  return ctx.tensor(columns, {end - begin});
}

Tensor logits_of(Context& ctx, const Side& rows, const Side& columns, std::int64_t begin, std::int64_t end) {
  return ops::matmul(ctx, rows.scaled.slice(0, begin, end), columns.all, false, true);  // [end − begin, G]
}

Tensor constant(const Context& ctx, DType dtype, std::int64_t count, double value) {
  return dtype == DType::f64
             ? ctx.tensor(std::vector<double>(static_cast<std::size_t>(count), value), {count})
             : ctx.tensor(std::vector<float>(static_cast<std::size_t>(count), static_cast<float>(value)), {count});
}

// Gradients of unit rows [begin, end) from those of the scaled logits, into `into` [b, C].
void add_block(Context& ctx, const Tensor& dlogits, const Tensor& scaled_columns, const Tensor& into,
               std::int64_t begin, std::int64_t end) {
  ops::run_into(ctx, ops::Matmul{}, {dlogits, scaled_columns}, {into.slice(0, begin, end)});
}

// d loss / d ln(scale): a logit is linear in the scale, so this is Σ unit · dunit over rows of one side.
Tensor scale_gradient(Context& ctx, const Side& side, const Tensor& dunit) {
  return ops::sum_all(ctx, ops::run1(ctx, ops::Mul{}, {side.unit, dunit}));
}

Tensor features_gradient(Context& ctx, const Side& side, const Tensor& dunit) {
  return ops::run1(ctx, ops::L2NormalizeBackward{}, {side.unit, side.norm, dunit});
}

// --- CLIP

// Σ of the cross-entropies of this rank's rows, and each row's log-sum-exp.
struct RowLosses {
  Tensor sum, lse;  // scalar, [b]
};
RowLosses row_losses(Context& ctx, const Side& rows, const Side& columns, const ContrastiveOptions& options) {
  const std::int64_t count = rows.unit.dim(0);
  const Tensor losses = ctx.empty(rows.unit.dtype(), {count}), lse = ctx.empty(rows.unit.dtype(), {count});
  each_block(count, options, [&](std::int64_t begin, std::int64_t end) {
    ops::run_into(ctx, ops::CrossEntropy{}, {logits_of(ctx, rows, columns, begin, end), matches(ctx, rows, begin, end)},
                  {losses.slice(0, begin, end), lse.slice(0, begin, end)});
  });
  return {ops::sum_all(ctx, losses), lse};
}

// dunit of this rank's rows: as rows of the softmax over columns, and as columns of the softmax over rows, whose
// log-sum-exps `columns_lse` [G] come from the ranks that own them.
Tensor clip_gradient(Context& ctx, const Side& rows, const Side& columns, const Tensor& lse, const Tensor& columns_lse,
                     const Tensor& scale, const ContrastiveOptions& options) {
  const std::int64_t count = rows.unit.dim(0), all = columns.all.dim(0);
  const double share = 0.5 / static_cast<double>(all);
  const Tensor dunit = ctx.empty(rows.unit.dtype(), rows.unit.shape());
  const Tensor scaled_columns = ops::run1(ctx, ops::Mul{}, {columns.all, scale});
  const Tensor minus_lse = ops::run1(ctx, ops::Scale{-1}, {columns_lse});
  each_block(count, options, [&](std::int64_t begin, std::int64_t end) {
    const Tensor logits = logits_of(ctx, rows, columns, begin, end);
    const Tensor target = matches(ctx, rows, begin, end), each = constant(ctx, lse.dtype(), end - begin, share);
    const Tensor as_rows =
        ops::run1(ctx, ops::CrossEntropyBackward{}, {logits, target, lse.slice(0, begin, end), each});
    const Tensor as_columns = ops::run1(ctx, ops::Exp{}, {ops::add(ctx, logits, minus_lse)});
    ops::accumulate(ctx, as_rows, ops::run1(ctx, ops::Scale{share}, {as_columns}));
    add_block(ctx, as_rows, scaled_columns, dunit, begin, end);
  });
  // The match's −1 in the softmax over rows.
  const Tensor own = ops::run1(ctx, ops::Scale{-share}, {columns.scaled});
  ops::accumulate(ctx, dunit, own);
  return dunit;
}

// --- SigLIP

struct SigmoidSide {
  Tensor sum, dunit, dbias;  // scalar, [b, C], scalar
};
SigmoidSide sigmoid_side(Context& ctx, const Side& rows, const Side& columns, const Tensor& scale, const Tensor& bias,
                         const ContrastiveOptions& options) {
  const std::int64_t count = rows.unit.dim(0);
  const DType dtype = rows.unit.dtype();
  const double share = 1.0 / static_cast<double>(columns.all.dim(0));
  const Tensor losses = ctx.empty(dtype, {count}), dunit = ctx.empty(dtype, rows.unit.shape());
  const Tensor scaled_columns = ops::run1(ctx, ops::Mul{}, {columns.all, scale});
  const Tensor dbias = ctx.zeros(dtype, {});
  each_block(count, options, [&](std::int64_t begin, std::int64_t end) {
    const Tensor logits = ops::add(ctx, logits_of(ctx, rows, columns, begin, end), bias);
    const Tensor target = matches(ctx, rows, begin, end);
    ops::run_into(ctx, ops::SigmoidCrossEntropy{}, {logits, target}, {losses.slice(0, begin, end)});
    const Tensor dlogits =
        ops::run1(ctx, ops::SigmoidCrossEntropyBackward{}, {logits, target, constant(ctx, dtype, end - begin, share)});
    ops::accumulate(ctx, dbias, ops::sum_all(ctx, dlogits));
    add_block(ctx, dlogits, scaled_columns, dunit, begin, end);
  });
  return {ops::sum_all(ctx, losses), dunit, dbias};
}

}  // namespace

ContrastiveLoss clip_loss(Context& ctx, GlobalBatch& batch, const Tensor& image, const Tensor& text,
                          const Tensor& logit_scale, const ContrastiveOptions& options) {
  check("clip", image, text);
  const Tensor scale = ops::run1(ctx, ops::Exp{}, {logit_scale});
  const Side images = side_of(ctx, batch, image, scale), texts = side_of(ctx, batch, text, scale);
  const RowLosses to_text = row_losses(ctx, images, texts, options), to_image = row_losses(ctx, texts, images, options);
  const Tensor image_lse = batch.gather_rows(ctx, to_text.lse).all, text_lse = batch.gather_rows(ctx, to_image.lse).all;
  const Tensor dimage = clip_gradient(ctx, images, texts, to_text.lse, text_lse, scale, options);
  const Tensor dtext = clip_gradient(ctx, texts, images, to_image.lse, image_lse, scale, options);
  const double share = 0.5 / static_cast<double>(images.all.dim(0));
  const Tensor loss = ops::run1(ctx, ops::Scale{share}, {ops::add(ctx, to_text.sum, to_image.sum)});
  return {.loss = batch.sum(ctx, loss),
          .image = features_gradient(ctx, images, dimage),
          .text = features_gradient(ctx, texts, dtext),
          .logit_scale = scale_gradient(ctx, images, dimage),
          .logit_bias = {}};
}

ContrastiveLoss siglip_loss(Context& ctx, GlobalBatch& batch, const Tensor& image, const Tensor& text,
                            const Tensor& logit_scale, const Tensor& logit_bias, const ContrastiveOptions& options) {
  check("siglip", image, text);
  const Tensor scale = ops::run1(ctx, ops::Exp{}, {logit_scale});
  const Side images = side_of(ctx, batch, image, scale), texts = side_of(ctx, batch, text, scale);
  const SigmoidSide to_text = sigmoid_side(ctx, images, texts, scale, logit_bias, options);
  const SigmoidSide to_image = sigmoid_side(ctx, texts, images, scale, logit_bias, options);
  const double share = 1.0 / static_cast<double>(images.all.dim(0));
  return {.loss = batch.sum(ctx, ops::run1(ctx, ops::Scale{share}, {to_text.sum})),
          .image = features_gradient(ctx, images, to_text.dunit),
          .text = features_gradient(ctx, texts, to_image.dunit),
          .logit_scale = scale_gradient(ctx, images, to_text.dunit),
          .logit_bias = to_text.dbias};
}

}  // namespace strata::objectives
