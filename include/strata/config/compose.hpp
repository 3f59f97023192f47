// SPDX-License-Identifier: Apache-2.0
//
// Configuration put together from small files by name, as Hydra does it, and changed from the command line. Folders
// hold groups: configs/model/hlip.yaml is the choice "hlip" of the group "model". A file may begin with a list of what
// it builds on:
//
//   defaults:
//     - base                     # a file of the same folder, merged into this one
//     - model: hlip              # configs/model/hlip.yaml under the key "model" of this file
//     - eval: [cq500, rsna]      # several, one merged over the other
//     - text@model.text: bert    # configs/text/bert.yaml under the key "model.text"
//     - data@_here_: head_ct     # configs/data/head_ct.yaml into this file itself
//     - override model: small    # another choice of a group that 'base' brought in
//     - logging: null            # no choice unless somebody makes one
//     - _self_                   # where the file's own keys stand in the order; without it: last
//
// What comes later in the list wins; maps merge key by key, everything else is replaced. Choices and values are changed
// by overrides, in their order:
//
//   model=small                  # a choice, where the folders have a group "model"; added if no file makes one
//   optim.lr=1e-4                # a value, written in YAML: [1, 2], {a: 1}, null, "text"
//   data.sets[0].weight=2        # in a list
//   ~data.sets                   # away with it
//
// All errors are usage errors that name the file or the override; a name that no file has comes with the nearest.
#pragma once

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "strata/config/node.hpp"

namespace strata::config {

struct Composed {
  Node config;
  std::vector<std::string> files;                            // in the order in which they were read
  std::vector<std::pair<std::string, std::string>> choices;  // group and name, as made: "model", "hlip"
};

// `name` is a file ("mine/run.yaml"), or a name in the folders ("run/quickstart"). Of a file that several folders have,
// the first folder's is taken, so a user's folder may stand before the built-in one. For a file beside the folders,
// plain names in its defaults are files beside it.
Composed compose(std::span<const std::string> folders, const std::string& name,
                 std::span<const std::string> overrides = {});

// `over` on top of `base`: maps key by key, everything else replaced.
Node merge(const Node& base, const Node& over);

// One value override ("a.b=c", "a[0]=c", "~a.b") on a tree.
Node apply_override(const Node& config, const std::string& text);

// The names that a group offers ("model" -> hlip, small), sorted.
std::vector<std::string> choices_of(std::span<const std::string> folders, const std::string& group);

}  // namespace strata::config
