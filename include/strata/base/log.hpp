// SPDX-License-Identifier: Apache-2.0
//
// Human-readable log lines on standard error: "[level] [subject] text", with the rank where there is one. Not for
// metrics (those are JSON Lines written by the engine) and not for errors (throw those). Thread-safe; a line below the
// threshold costs one atomic load.
#pragma once

#include <string_view>

namespace strata {

enum class LogLevel : int { debug = 0, info = 1, warning = 2, quiet = 3 };

void set_log_level(LogLevel threshold);  // default: info
LogLevel log_level();

void log(LogLevel level, std::string_view subject, std::string_view text);

}  // namespace strata
