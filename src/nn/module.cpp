// SPDX-License-Identifier: Apache-2.0
#include "strata/nn/module.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "strata/base/error.hpp"

namespace strata::nn {
namespace {

// A child without a name adds nothing to the path: its parameters carry the parent's.
std::string join(const std::string& prefix, const std::string& name) {
  if (name.empty()) return prefix;
  return prefix.empty() ? name : prefix + "." + name;
}

std::string suggestion(const std::string& name, const std::vector<std::string>& candidates) {
  const auto nearest = nearest_name(name, candidates);
  return nearest.empty() ? std::string() : fmt::format("did you mean '{}'?", nearest);
}

}  // namespace

ParameterPtr Module::add(ParameterPtr parameter) {
  own_.push_back(parameter);
  return parameter;
}

void Module::add(std::string name, Module& child) { children_.emplace_back(std::move(name), &child); }

void Module::replace_child(const Module& old, Module& fresh) {
  for (auto& [name, child] : children_)
    if (child == &old) child = &fresh;
}

std::vector<Module::Named> Module::named_parameters(const std::string& prefix) const {
  std::vector<Named> all;
  for (const auto& parameter : own_) all.push_back({join(prefix, parameter->local_name()), parameter});
  for (const auto& [name, child] : children_)
    for (auto& named : child->named_parameters(join(prefix, name)))
      if (std::ranges::find(all, named.parameter, &Named::parameter) == all.end()) all.push_back(std::move(named));
  return all;
}

std::vector<ParameterPtr> Module::parameters() const {
  std::vector<ParameterPtr> all;
  for (auto& named : named_parameters()) all.push_back(std::move(named.parameter));
  return all;
}

void Module::name_parameters(const std::string& prefix) {
  for (const auto& [path, parameter] : named_parameters(prefix)) parameter->set_name(path);
}

std::vector<ParameterPtr> Module::trainable_parameters() const {
  auto all = parameters();
  std::erase_if(all, [](const ParameterPtr& p) { return !p->trainable(); });
  return all;
}

void Module::walk(const std::function<void(const std::string&, Module&)>& visit, const std::string& prefix) {
  visit(prefix, *this);
  for (const auto& [name, child] : children_) child->walk(visit, join(prefix, name));
}

Module& Module::find(const std::string& path) {
  Module* found = nullptr;
  std::vector<std::string> paths;
  walk([&](const std::string& at, Module& module) {
    paths.push_back(at);
    if (at == path && found == nullptr) found = &module;
  });
  STRATA_CHECK(found != nullptr, usage, "module", fmt::format("there is no module '{}'", path),
               suggestion(path, paths));
  return *found;
}

ParameterPtr Module::parameter(const std::string& path) const {
  std::vector<std::string> names;
  for (auto& [name, parameter] : named_parameters()) {
    if (name == path) return parameter;
    names.push_back(name);
  }
  fail(ErrorKind::usage, "module", fmt::format("there is no parameter '{}'", path), suggestion(path, names));
}

Variable Module::enter(Tape& tape, const Variable& x) {
  Variable in = hooks_.before ? hooks_.before(tape, x) : x;
  if (hooks_.after_backward) tape.mark(hooks_.after_backward);
  if (hooks_.before_forward) hooks_.before_forward();
  return in;
}

Variable Module::leave(Tape& tape, const Variable& y) {
  if (hooks_.after_forward) hooks_.after_forward();
  if (hooks_.before_backward) tape.mark(hooks_.before_backward);
  return hooks_.after ? hooks_.after(tape, y) : y;
}

}  // namespace strata::nn
