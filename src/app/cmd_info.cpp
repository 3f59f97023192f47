// SPDX-License-Identifier: Apache-2.0
// strata info: everything that decides what this build can do and how fast, read from the tables themselves.
#include <fmt/format.h>

#include <CLI/Version.hpp>
#include <algorithm>
#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>

#include "app/command.hpp"
#include "app/wiring.hpp"
#include "build_info.hpp"
#include "parallel/comm/mpi.hpp"
#include "parallel/comm/transports.hpp"

namespace strata::app {
namespace {

void section(std::string_view title) { fmt::print("\n{}\n", title); }

void print(const std::vector<Fact>& facts) {
  std::size_t width = 0;
  for (const auto& fact : facts) width = std::max(width, fact.name.size());
  for (const auto& fact : facts) fmt::print("  {:{}}  {}\n", fact.name, width, fact.value);
}

std::string versions_of(int number, int major, int minor) {
  return fmt::format("{}.{}.{}", number / major, number / minor % 100, number % minor);
}

void print_build() {
  fmt::print("strata {} ({})\n", build_info::kVersion, build_info::kCommit);
  section("build");
  print({{"compiler", std::string(build_info::kCompiler)},
         {"type", std::string(build_info::kBuildType)},
         {"sanitizer", build_info::kSanitizer.empty() ? std::string("none") : std::string(build_info::kSanitizer)},
         {"system", std::string(build_info::kSystem)}});
}

void print_machine() {
  section("machine and libraries");
  std::vector<Fact> facts = cpu_facts();
  for (auto& fact : cuda_facts()) facts.push_back(std::move(fact));
  facts.push_back({"OpenMP", build_info::kOpenMp.empty() ? std::string("none") : std::string(build_info::kOpenMp)});
  facts.push_back({"MPI", comm::mpi_description()});
  facts.push_back({"fmt", versions_of(FMT_VERSION, 10000, 100)});
  facts.push_back({"CLI11", CLI11_VERSION});
  facts.push_back({"nlohmann-json", fmt::format("{}.{}.{}", NLOHMANN_JSON_VERSION_MAJOR, NLOHMANN_JSON_VERSION_MINOR,
                                                NLOHMANN_JSON_VERSION_PATCH)});
  print(facts);
}

void print_kernels() {
  const auto names = backend_names();
  std::map<std::string, std::map<std::string_view, std::string>>
      kernels;  // op -> backend -> kernels, in the order they are asked
  for (const auto name : names) {
    const KernelTable own = own_kernels(name);
    for (const auto* entry : own.entries()) {
      std::string& cell = kernels[entry->op][name];
      cell += cell.empty() ? entry->kernel : ", " + entry->kernel;
    }
  }
  section(fmt::format("kernels of {} ops (where cpu has none, the reference serves; what cuda lacks, it refuses)",
                      kernels.size()));
  std::map<std::string_view, std::size_t> width;
  for (const auto& [op, cells] : kernels) {
    width["op"] = std::max(width["op"], op.size());
    for (const auto& [name, cell] : cells) width[name] = std::max(width[name], cell.size());
  }
  std::string head = fmt::format("  {:{}}", "op", width["op"]);
  for (const auto name : names) head += fmt::format("  {:{}}", name, width[name]);
  fmt::print("{}\n", head);
  for (const auto& [op, cells] : kernels) {
    std::string line = fmt::format("  {:{}}", op, width["op"]);
    for (const auto name : names)
      line += fmt::format("  {:{}}", cells.contains(name) ? cells.at(name) : "-", width[name]);
    fmt::print("{}\n", line);
  }
}

void print_transports() {
  section("transports");
  std::vector<Fact> facts;
  for (const auto& entry : comm::transport_table())
    facts.push_back({entry.name, entry.built ? entry.detail : "not built: " + entry.detail});
  print(facts);
}

}  // namespace

Action add_info(CLI::App&) {
  return [] {
    print_build();
    print_machine();
    print_kernels();
    print_transports();
  };
}

}  // namespace strata::app
