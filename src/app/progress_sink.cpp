// SPDX-License-Identifier: Apache-2.0
#include "app/progress_sink.hpp"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>

#include "io/metrics/metrics.hpp"

namespace strata::app {
namespace {

std::optional<double> value_of(const io::MetricRecord& record, std::string_view wanted) {
  const std::string full = io::metric_name(record.kind, wanted);
  for (const auto& [name, value] : record.values)
    if (io::metric_name(record.kind, name) == full) return value;
  return std::nullopt;
}

std::string duration(double seconds) {
  const auto s = static_cast<std::int64_t>(std::llround(std::clamp(seconds, 0.0, 1e9)));
  if (s < 100) return fmt::format("{} s", s);
  if (s < 100 * 60) return fmt::format("{} min", (s + 30) / 60);
  const std::int64_t minutes = (s + 30) / 60;
  if (minutes < 48 * 60) return fmt::format("{} h {:02} min", minutes / 60, minutes % 60);
  return fmt::format("{} d {} h", minutes / 60 / 24, minutes / 60 % 24);
}

class ProgressSink final : public io::MetricSink {
 public:
  explicit ProgressSink(ProgressOptions options)
      : options_(std::move(options)), terminal_(options_.terminal.value_or(::isatty(::fileno(options_.stream)) == 1)) {}

  ~ProgressSink() override { end_line(); }
  ProgressSink(const ProgressSink&) = delete;
  ProgressSink& operator=(const ProgressSink&) = delete;

  void write(const io::MetricRecord& record) override {
    if (record.kind == "start")
      start(record);
    else if (record.kind == "train")
      train(record);
    else if (record.kind == "eval")
      evaluation(record);
    else if (record.kind == "end")
      end(record);
  }

  void flush() override { end_line(); }

 private:
  void start(const io::MetricRecord& record) {
    anchor_.reset();
    printed_.reset();
    if (record.step > 0) say(fmt::format("resumed after step {} of {}", record.step, options_.steps));
  }

  void train(const io::MetricRecord& record) {
    // The first step stands apart: buffers are made and kernels chosen in it.
    if (!anchor_) anchor_ = Moment{record.step, record.seconds};
    last_ = text_of(record);
    const bool due = !printed_ || record.seconds - *printed_ >= options_.every || record.step >= options_.steps;
    if (terminal_)
      rewrite(last_);
    else if (due)
      say(last_);
    if (due) printed_ = record.seconds;
  }

  void evaluation(const io::MetricRecord& record) {
    for (const auto& name : options_.scores)
      if (const auto score = value_of(record, name); score && std::isfinite(*score)) {
        score_ = fmt::format("{} {:.4g}", io::metric_name(record.kind, name), *score);
        say(fmt::format("evaluation after step {}: {}", record.step, score_));
        return;
      }
  }

  void end(const io::MetricRecord& record) {
    say(fmt::format("{} of {} steps are done, {} since this start", record.step, options_.steps,
                    duration(record.seconds)));
  }

  std::string text_of(const io::MetricRecord& record) const {
    std::string text = fmt::format("step {} of {}", record.step, options_.steps);
    if (const auto loss = value_of(record, "loss")) text += fmt::format(", loss {:.4g}", *loss);
    if (const auto lr = value_of(record, "lr")) text += fmt::format(", lr {:.3g}", *lr);
    if (const auto rate = value_of(record, "studies_per_second")) text += fmt::format(", {:.3g} studies/s", *rate);
    const std::int64_t left = options_.steps - record.step, taken = anchor_ ? record.step - anchor_->step : 0;
    if (taken > 0 && left > 0)
      text += fmt::format(", {} left", duration((record.seconds - anchor_->seconds) / static_cast<double>(taken) *
                                                static_cast<double>(left)));
    return score_.empty() ? text : text + ", " + score_;
  }

  // A line that stays.
  void say(const std::string& text) {
    if (open_) std::fputs("\r\x1b[K", options_.stream);
    open_ = false;
    std::fprintf(options_.stream, "%s\n", text.c_str());
    std::fflush(options_.stream);
  }

  void rewrite(const std::string& text) {
    winsize size{};
    const bool known = ::ioctl(::fileno(options_.stream), TIOCGWINSZ, &size) == 0 && size.ws_col > 1;
    const std::size_t width = known ? size.ws_col - 1U : 79U;  // a full line would wrap, and then not be rewritten
    std::fprintf(options_.stream, "\r%s\x1b[K", text.substr(0, width).c_str());
    std::fflush(options_.stream);
    open_ = true;
  }

  void end_line() {
    if (open_) say(last_);
  }

  struct Moment {
    std::int64_t step;
    double seconds;
  };

  ProgressOptions options_;
  bool terminal_, open_ = false;
  std::optional<Moment> anchor_;
  std::optional<double> printed_;
  std::string last_, score_;
};

}  // namespace

std::unique_ptr<io::MetricSink> progress_sink(ProgressOptions options) {
  return std::make_unique<ProgressSink>(std::move(options));
}

}  // namespace strata::app
