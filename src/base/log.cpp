// SPDX-License-Identifier: Apache-2.0
#include "strata/base/log.hpp"

#include <fmt/format.h>

#include <atomic>
#include <cstdio>

#include "strata/base/error.hpp"

namespace strata {
namespace {

std::atomic<LogLevel> threshold{LogLevel::info};

const char* label(LogLevel level) {
  switch (level) {
    case LogLevel::debug: return "debug";
    case LogLevel::info: return "info";
    case LogLevel::warning: return "warning";
    case LogLevel::quiet: break;
  }
  return "log";
}

}  // namespace

void set_log_level(LogLevel level) { threshold.store(level, std::memory_order_relaxed); }
LogLevel log_level() { return threshold.load(std::memory_order_relaxed); }

void log(LogLevel level, std::string_view subject, std::string_view text) {
  if (level < log_level()) return;
  const int rank = thread_rank_label();
  const std::string line = rank < 0 ? fmt::format("[{}] [{}] {}\n", label(level), subject, text)
                                    : fmt::format("[{}] [rank {}] [{}] {}\n", label(level), rank, subject, text);
  std::fwrite(line.data(), 1, line.size(), stderr);  // one call a line, so lines of several threads do not mix
}

}  // namespace strata
