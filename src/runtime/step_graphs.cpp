// SPDX-License-Identifier: Apache-2.0
#include "strata/runtime/step_graphs.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <unordered_map>
#include <variant>

#include "strata/base/error.hpp"
#include "strata/runtime/recorder.hpp"

namespace strata {
namespace {

using Entry = KernelTable::Entry;

constexpr MemoryKind kClaimed = MemoryKind::activations;  // what claimed memory counts as while no tensor has it
constexpr std::size_t kMostPrograms = 64;
constexpr int kMostMisses = 3;  // of claims, one after the other, before a program is recorded anew

struct View {
  TensorSpec spec;
  const void* data = nullptr;
  Strides strides{};

  explicit View(const Tensor& tensor) : spec(tensor.spec()) {
    if (!tensor.defined()) return;
    data = tensor.raw();
    for (int axis = 0; axis < tensor.ndim(); ++axis) strides[static_cast<std::size_t>(axis)] = tensor.stride(axis);
  }
  bool operator==(const View&) const = default;
};

std::vector<View> views_of(std::span<const Tensor> tensors) { return {tensors.begin(), tensors.end()}; }

// What happens in a step, in order.
struct Call {
  const Entry* entry;
  std::shared_ptr<const void> op;
  std::vector<View> in, out;
};
struct Allocation {
  std::size_t bytes;
  void* data;
};
struct Upload {
  void* to;
  std::size_t bytes;
  void* slot;
};
struct Move {  // within the device
  void* to;
  const void* from;
  std::size_t bytes;
};
struct Launch {  // of everything since the one before
  std::shared_ptr<RecordedWork> work;
};
using Act = std::variant<Call, Allocation, Upload, Move, Launch>;

struct Program {
  int seen = 0;  // steps that ran plainly
  int misses = 0;
  bool refused = false;
  std::vector<Act> acts;      // empty: not recorded
  std::vector<Block> blocks;  // all that its pieces touch, kernels' own included
  Event launched;             // its last piece: slots may be written again
};

// Not launched yet: its number, and the tensors of a call.
struct Pending {
  std::size_t act;
  std::vector<Tensor> in, out;
  std::vector<std::byte> bytes;  // of an upload that is being recorded: its slot may go with the recording
};

}  // namespace

class StepGraphs::Impl final : public Backend {
 public:
  Impl(std::shared_ptr<Backend> inner, const KernelTable& table)
      : inner_(std::move(inner)), table_(table), recorder_(inner_->recorder()) {}

  // --- a backend that watches its default stream

  std::string_view name() const override { return inner_->name(); }
  Device device() const override { return inner_->device(); }
  MemoryReport memory() const override { return inner_->memory(); }
  void reset_peak() override { inner_->reset_peak(); }

  void* allocate(std::size_t bytes, const Stream& stream, MemoryKind kind) override {
    if (mode_ == Mode::plain || !is_watched(stream)) return inner_->allocate(bytes, stream, kind);
    if (mode_ == Mode::replay) {
      if (const auto* next = expected<Allocation>(); next != nullptr && next->bytes == bytes) {
        ++held_.at(next->data).tensors;
        inner_->relabel(bytes, kClaimed, kind);
        pass();
        return next->data;
      }
      diverge();
      return inner_->allocate(bytes, stream, kind);
    }
    void* data = inner_->allocate(bytes, stream, kind);
    program_->acts.emplace_back(Allocation{bytes, data});
    alive_[data] = bytes;
    return data;
  }

  void free(void* data, std::size_t bytes, const Stream& stream, MemoryKind kind) noexcept override {
    const auto held = held_.find(data);
    if (held == held_.end() || held->second.tensors == 0) {
      alive_.erase(data);
      return inner_->free(data, bytes, stream, kind);
    }
    inner_->relabel(bytes, kind, kClaimed);
    if (--held->second.tensors == 0 && mode_ != Mode::replay) give_back(held);
  }

  void relabel(std::size_t bytes, MemoryKind from, MemoryKind to) noexcept override {
    inner_->relabel(bytes, from, to);
  }

  void copy(void* to, Device to_device, const void* from, Device from_device, std::size_t bytes,
            const Stream& stream) override {
    const bool looks = to_device.kind == DeviceKind::host;
    if (is_watched(stream) && looks) look();
    if (mode_ == Mode::plain || !is_watched(stream) || looks || bytes == 0)
      return inner_->copy(to, to_device, from, from_device, bytes, stream);
    if (from_device.kind == DeviceKind::host)
      upload(to, from, bytes, stream);
    else
      move(to, from, bytes, stream);
  }

  Event send(void* to, const void* from, std::size_t bytes, const Stream& stream) override {
    look_at(stream);
    return inner_->send(to, from, bytes, stream);
  }
  using Backend::make_stream;
  Stream make_stream(StreamPriority priority) override { return inner_->make_stream(priority); }
  Event record(const Stream& stream) override {
    look_at(stream);
    return inner_->record(stream);
  }
  void wait(const Stream& stream, const Event& event) override {
    look_at(stream);
    inner_->wait(stream, event);
  }
  void synchronise(const Stream& stream) override {
    look_at(stream);
    inner_->synchronise(stream);
  }

  // --- its kernels

  void run(const Entry& entry, const void* op, Inputs in, Outputs out, Context& ctx) {
    Context inside = Context(inner_, table_, ctx.stream()).labelled(ctx.kind());
    if (mode_ == Mode::replay && is_watched(ctx.stream())) {
      const auto* next = expected<Call>();
      if (next != nullptr && next->entry == &entry && entry.same(next->op.get(), op) && are(next->in, in) &&
          are(next->out, out)) {
        postpone(cursor_, in, out);
        return pass();
      }
      diverge();
    }
    if (mode_ == Mode::plain || !is_watched(ctx.stream())) return entry.run(op, in, out, inside);
    begin_piece();
    program_->acts.emplace_back(Call{&entry, entry.copy(op), views_of(in), views_of(out)});
    postpone(program_->acts.size() - 1, in, out);
    try {
      entry.run(op, in, out, inside);
    } catch (const Error& error) {
      return give_up(error.what());  // runs it again, plainly: an error of its own comes back
    }
    if (pending_.size() >= kPiece) end_piece();
  }

  // --- steps

  void begin(std::string_view key) {
    forget();
    if (recorder_ == nullptr) return;
    if (programs_.size() >= kMostPrograms) programs_.clear();
    program_ = &programs_[std::string(key)];
    if (program_->seen == 0 || program_->refused) {
      ++program_->seen;
      return;
    }
    if (program_->acts.empty()) {
      mode_ = Mode::record;
      program_->blocks.clear();
      alive_.clear();
      recorder_->watch(&program_->blocks);
    } else if (recorder_->claim(program_->blocks, kClaimed)) {
      program_->launched.wait();
      mode_ = Mode::replay;
      cursor_ = 0;
      program_->misses = 0;
      for (const auto& block : program_->blocks) held_[block.data] = {block.bytes, 0};
    } else if (++program_->misses == kMostMisses) {
      program_->misses = 0;
      program_->acts.clear();
    }
  }

  void end() {
    if (mode_ == Mode::record) end_recording();
    if (mode_ == Mode::replay && cursor_ < program_->acts.size()) diverge();
    const bool launched = mode_ != Mode::plain;
    ++(mode_ == Mode::record ? statistics_.recorded : launched ? statistics_.replayed : statistics_.plain);
    mode_ = Mode::plain;
    if (launched) program_->launched = inner_->record({});
    forget();
  }

  const StepGraphStatistics& statistics() const { return statistics_; }
  const std::shared_ptr<Backend>& inner() const { return inner_; }
  const KernelTable& table() const { return table_; }
  bool records() const { return recorder_ != nullptr; }

 private:
  enum class Mode : std::uint8_t { plain, record, replay };
  struct Held {
    std::size_t bytes = 0;
    int tensors = 0;  // that have it now
  };

  static bool is_watched(const Stream& stream) { return stream.state() == nullptr; }
  static bool are(const std::vector<View>& views, std::span<const Tensor> tensors) {
    return std::ranges::equal(views, tensors, {}, {}, [](const Tensor& tensor) { return View(tensor); });
  }

  // --- comparing

  template <class T>
  const T* expected() const {
    return cursor_ < program_->acts.size() ? std::get_if<T>(&program_->acts[cursor_]) : nullptr;
  }

  // The expected act has come; pieces that are complete by that go off.
  void pass() {
    ++cursor_;
    while (const auto* next = expected<Launch>()) {
      recorder_->launch(*next->work);
      ++statistics_.launches;
      pending_.clear();
      ++cursor_;
    }
  }

  void diverge() {
    ++statistics_.diverged;
    mode_ = Mode::plain;
    run_pending();
    give_back_idle();
  }

  // --- recording

  void begin_piece() {
    if (recording_) return;
    recorder_->begin();
    recording_ = true;
  }

  void end_piece() {
    if (!recording_) return;
    recording_ = false;
    try {
      const auto work = recorder_->end();
      recorder_->launch(*work);
      ++statistics_.launches;
      program_->acts.emplace_back(Launch{work});
      pending_.clear();
    } catch (const Error& error) {
      give_up(error.what());
    }
  }

  // Something cannot be recorded: the step goes on plainly, and so do all of its key.
  void give_up(std::string_view why) {
    stop_recording();
    refuse(why);
    run_pending();
  }

  void refuse(std::string_view why) {
    ++statistics_.refused;
    statistics_.why_refused = why;
    program_->refused = true;
    refused_now_ = true;
    mode_ = Mode::plain;
  }

  void stop_recording() {
    recorder_->watch(nullptr);
    if (!recording_) return;
    recording_ = false;
    try {
      recorder_->end();
    } catch (const Error&) {  // why it is stopped is known
    }
  }

  void end_recording() {
    end_piece();
    recorder_->watch(nullptr);
    if (mode_ != Mode::record) return;
    if (!alive_.empty()) {
      refuse(fmt::format("{} tensors outlive the step that made them, one of {} bytes", alive_.size(),
                         alive_.begin()->second));
      return;
    }
    auto& blocks = program_->blocks;
    std::ranges::sort(blocks, {}, &Block::data);
    const auto repeated = std::ranges::unique(blocks, {}, &Block::data);
    blocks.erase(repeated.begin(), repeated.end());
  }

  // --- what is not launched yet

  void postpone(std::size_t act, Inputs in = {}, Outputs out = {}) {
    pending_.push_back({act, {in.begin(), in.end()}, {out.begin(), out.end()}, {}});
  }

  void run_pending() {
    const std::vector<Pending> pending = std::move(pending_);
    pending_.clear();
    for (const auto& one : pending) {
      const Act& act = program_->acts[one.act];
      if (const auto* call = std::get_if<Call>(&act)) {
        Context inside = Context(inner_, table_).labelled(MemoryKind::work);
        call->entry->run(call->op.get(), one.in, one.out, inside);
      } else if (const auto* upload = std::get_if<Upload>(&act)) {
        const void* from = one.bytes.empty() ? upload->slot : one.bytes.data();
        inner_->copy(upload->to, device(), from, Device{}, upload->bytes, {});
      } else if (const auto* move = std::get_if<Move>(&act)) {
        inner_->copy(move->to, device(), move->from, device(), move->bytes, {});
      }
    }
  }

  void look_at(const Stream& stream) {
    if (is_watched(stream)) look();
  }
  void look() {
    if (mode_ == Mode::record) end_piece();
    if (mode_ == Mode::replay && !pending_.empty()) diverge();  // the recorded step did not stop here
  }

  void upload(void* to, const void* from, std::size_t bytes, const Stream& stream) {
    if (mode_ == Mode::record) {
      begin_piece();
      void* slot = recorder_->copy_from_slot(to, bytes);
      std::memcpy(slot, from, bytes);
      program_->acts.emplace_back(Upload{to, bytes, slot});
      postpone(program_->acts.size() - 1);
      const auto* first = static_cast<const std::byte*>(from);
      pending_.back().bytes.assign(first, first + bytes);
      return;
    }
    if (const auto* next = expected<Upload>(); next != nullptr && next->to == to && next->bytes == bytes) {
      std::memcpy(next->slot, from, bytes);
      postpone(cursor_);
      return pass();
    }
    diverge();
    inner_->copy(to, device(), from, Device{}, bytes, stream);
  }

  void move(void* to, const void* from, std::size_t bytes, const Stream& stream) {
    if (mode_ == Mode::record) {
      begin_piece();
      inner_->copy(to, device(), from, device(), bytes, stream);
      program_->acts.emplace_back(Move{to, from, bytes});
      return postpone(program_->acts.size() - 1);
    }
    const auto* next = expected<Move>();
    if (next != nullptr && next->to == to && next->from == from && next->bytes == bytes) {
      postpone(cursor_);
      return pass();
    }
    diverge();
    inner_->copy(to, device(), from, device(), bytes, stream);
  }

  // --- claimed memory

  using HeldMap = std::unordered_map<const void*, Held>;

  HeldMap::iterator give_back(HeldMap::iterator held) noexcept {
    const Block block{const_cast<void*>(held->first), held->second.bytes};
    recorder_->unclaim({&block, 1}, kClaimed);
    return held_.erase(held);
  }
  void give_back_idle() noexcept {
    for (auto held = held_.begin(); held != held_.end();)
      held = held->second.tensors == 0 ? give_back(held) : std::next(held);
  }

  // Whatever an error left, too.
  void forget() {
    if (mode_ == Mode::record) stop_recording();
    if (mode_ == Mode::record || refused_now_) program_->acts.clear();
    mode_ = Mode::plain;
    refused_now_ = false;
    pending_.clear();
    give_back_idle();
    program_ = nullptr;
  }

  std::shared_ptr<Backend> inner_;
  const KernelTable& table_;
  Recorder* recorder_;
  std::map<std::string, Program> programs_;
  Program* program_ = nullptr;
  Mode mode_ = Mode::plain;
  bool recording_ = false, refused_now_ = false;
  std::size_t cursor_ = 0;
  std::vector<Pending> pending_;
  HeldMap held_;
  std::unordered_map<const void*, std::size_t> alive_;  // made by the step that is being recorded: bytes
  StepGraphStatistics statistics_;
};

StepGraphs::StepGraphs(std::shared_ptr<Backend> backend, const KernelTable& table)
    : impl_(std::make_shared<Impl>(std::move(backend), table)),
      table_(table.wrapped([impl = impl_.get()](const Entry& entry) -> KernelTable::Run {
        return [impl, at = &entry](const void* op, Inputs in, Outputs out, Context& ctx) {
          impl->run(*at, op, in, out, ctx);
        };
      })) {}

StepGraphs::~StepGraphs() = default;

std::shared_ptr<Backend> StepGraphs::backend() const {
  return impl_->records() ? std::shared_ptr<Backend>(impl_) : impl_->inner();
}
const KernelTable& StepGraphs::table() const { return impl_->records() ? table_ : impl_->table(); }
void StepGraphs::begin(std::string_view key) { impl_->begin(key); }
void StepGraphs::end() { impl_->end(); }
const StepGraphStatistics& StepGraphs::statistics() const { return impl_->statistics(); }

}  // namespace strata
