// SPDX-License-Identifier: Apache-2.0
//
// Collectives that gradients flow through. Each is one step on the tape: a collective forward and its transpose
// backward, issued by every rank of the group whether or not a gradient arrives there, so that all ranks issue the same
// sequence. Forward and backward each wait for their result.
//
// Two conventions of what the loss is, and functions for each; mixing them up scales gradients by the group's size.
//
// Sum of ranks: the loss is the sum of what every rank computes from its own values (data, study and pipeline
// exchanges). The transposes are exact: all_gather and reduce_scatter, broadcast and reduce, all_reduce and itself,
// all_to_all and its reverse.
//
// Counted once: every rank computes the same loss from the same values after the exchange (tensor parallelism; f and g
// of Shoeybi et al. 2019, arXiv:1909.08053): copy_to_group before a part that differs by rank, sum_over_group after it.
//
// `scale` multiplies the result, and the gradient on its way back: 1 / size makes a mean. Gradients are exchanged in
// their own type. Shapes may differ between ranks only where counts say so. The group must outlive the tape. Errors are
// those of the communicator.
#pragma once

#include "strata/autograd/tape.hpp"
#include "strata/comm/communicator.hpp"

namespace strata::parallel {

using autograd::Tape;
using autograd::Variable;
using comm::Communicator;
using comm::Counts;

// Counted once.
Variable copy_to_group(Tape& tape, Communicator& group, const Variable& x);  // identity      / all_reduce
Variable sum_over_group(Tape& tape, Communicator& group, const Variable& x,
                        double scale = 1);  // all_reduce    / identity

// Sum of ranks.
Variable all_reduce(Tape& tape, Communicator& group, const Variable& x, double scale = 1);  // all_reduce / all_reduce
// [counts[rank], ...] -> [sum of counts, ...]; no counts: equal parts.
Variable all_gather(Tape& tape, Communicator& group, const Variable& x,
                    Counts counts = {});  // all_gather / reduce_scatter
// [sum of counts, ...] -> [counts[rank], ...]; no counts: equal parts.
Variable reduce_scatter(Tape& tape, Communicator& group, const Variable& x,
                        Counts counts = {});  // reduce_scatter / all_gather
// `x` is read on the root and may be undefined elsewhere; `spec` is known to all.
Variable broadcast(Tape& tape, Communicator& group, const Variable& x, const TensorSpec& spec,
                   int root);  // broadcast / reduce
// Undefined on all ranks but the root.
Variable reduce(Tape& tape, Communicator& group, const Variable& x, int root, double scale = 1);  // reduce / broadcast
Variable all_to_all(Tape& tape, Communicator& group, const Variable& x, Counts send_counts,
                    Counts recv_counts);  // itself, reversed

}  // namespace strata::parallel
