// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <unordered_set>

#include "config/value.hpp"
#include "strata/base/error.hpp"
#include "strata/base/text.hpp"

namespace strata::config {
namespace {

[[noreturn]] void bad(const std::string& name, int line, std::string_view what, std::string_view hint = {}) {
  fail(ErrorKind::usage, "config", fmt::format("{}: {}", printable(fmt::format("{}:{}", name, line), 400), what), hint);
}

// Builds the tree from the parser's events, so that limits hold while a text is read and not after.
class Builder final : public YAML::EventHandler {
 public:
  explicit Builder(const std::string& name) : source_(std::make_shared<const std::string>(name)) {}

  ValuePtr take() { return root_ ? std::move(root_) : std::make_shared<const NodeValue>(); }

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnAnchor(const YAML::Mark& mark, const std::string&) override { no_anchors(mark); }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override { no_anchors(mark); }
  void OnNull(const YAML::Mark& mark, YAML::anchor_t) override { add(make(mark, Kind::null), mark); }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t, const std::string& text) override {
    check_tag(mark, tag);
    if (std::memchr(text.data(), 0, text.size()) != nullptr) bad(*source_, line(mark), "a value holds a zero byte");
    auto value = make(mark, Kind::scalar);
    value->text = text;
    const bool quotes = tag == "!";  // the library's mark of quotes and block scalars
    value->quoted = quotes && reads_as_other(text);
    if (!quotes && (text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL")) {
      value->kind = Kind::null;
      value->text.clear();
    }
    add(std::move(value), mark, &text);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {
    open(mark, tag, Kind::list);
  }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t, YAML::EmitterStyle::value) override {
    open(mark, tag, Kind::map);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapEnd() override { close(); }

 private:
  struct Open {
    std::shared_ptr<NodeValue> value;
    std::string key;
    bool has_key = false;
    std::unordered_set<std::string> keys;  // so far: a hostile file has a hundred thousand
  };

  static int line(const YAML::Mark& mark) { return mark.line + 1; }

  [[noreturn]] void no_anchors(const YAML::Mark& mark) const {
    bad(*source_, line(mark), "anchors and aliases (& and *) are not read here",
        "write the value out, or compose files with a 'defaults' list; text that begins with & or * needs quotes");
  }

  void check_tag(const YAML::Mark& mark, const std::string& tag) const {
    if (!tag.empty() && tag != "?" && tag != "!")
      bad(*source_, line(mark), fmt::format("the tag {} is not read here", printable(tag)), "leave the tag out");
  }

  std::shared_ptr<NodeValue> make(const YAML::Mark& mark, Kind kind) {
    if (++nodes_ > kMostNodes) bad(*source_, line(mark), fmt::format("more than {} values", kMostNodes));
    auto value = std::make_shared<NodeValue>();
    value->kind = kind;
    value->source = source_;
    value->line = line(mark);
    return value;
  }

  void open(const YAML::Mark& mark, const std::string& tag, Kind kind) {
    check_tag(mark, tag);
    if (open_.size() == static_cast<std::size_t>(kDeepest))
      bad(*source_, line(mark), fmt::format("more than {} levels of lists and maps", kDeepest));
    if (!open_.empty() && open_.back().value->kind == Kind::map && !open_.back().has_key)
      bad(*source_, line(mark), fmt::format("a {} stands where a key is expected", name_of(kind)),
          "keys are plain words; a value that begins with { or [ needs quotes");
    open_.push_back({make(mark, kind), {}, false, {}});
  }

  void close() {
    auto value = std::move(open_.back().value);
    open_.pop_back();
    place(std::move(value));
  }

  // A scalar is a key where a map waits for one.
  void add(std::shared_ptr<NodeValue> value, const YAML::Mark& mark, const std::string* text = nullptr) {
    if (!open_.empty() && open_.back().value->kind == Kind::map && !open_.back().has_key) {
      if (text == nullptr || text->empty()) bad(*source_, line(mark), "a key is empty");
      if (!open_.back().keys.insert(*text).second)
        bad(*source_, line(mark), fmt::format("the key {} stands twice", printable(*text)));
      open_.back().key = *text;
      open_.back().has_key = true;
    } else {
      place(std::move(value));
    }
  }

  void place(ValuePtr value) {
    if (open_.empty()) {
      root_ = std::move(value);
    } else if (Open& parent = open_.back(); parent.value->kind == Kind::list) {
      parent.value->items.push_back(std::move(value));
    } else {
      parent.value->entries.emplace_back(std::move(parent.key), std::move(value));
      parent.has_key = false;
    }
  }

  std::shared_ptr<const std::string> source_;
  std::vector<Open> open_;
  ValuePtr root_;
  std::size_t nodes_ = 0;
};

}  // namespace

Node Node::parse(std::string_view text, const std::string& name) {
  STRATA_CHECK(
      text.size() <= kLargestText, usage, "config",
      fmt::format("{} has {} bytes, a configuration at most {}", printable(name, 400), text.size(), kLargestText),
      "is it the right file?");
  Builder builder(name);
  std::istringstream stream{std::string(text)};
  try {
    YAML::Parser parser(stream);
    parser.HandleNextDocument(builder);
    Builder second(name);
    if (parser.HandleNextDocument(second))
      bad(name, second.take()->line, "a second document begins here", "a file holds one: remove the line ---");
  } catch (const YAML::Exception& error) {
    const int line = error.mark.is_null() ? 0 : error.mark.line + 1;
    bad(name, line, fmt::format("this is not YAML: {}", error.msg),
        "look at the indentation, and at colons and quotes within values");
  }
  return {builder.take(), {}};
}

Node Node::load(const std::string& file) {
  std::error_code code;
  const bool regular = std::filesystem::is_regular_file(file, code);
  STRATA_CHECK(regular, usage, "config",
               fmt::format("{} is no file{}", printable(file, 400), code ? " (" + code.message() + ")" : std::string()),
               "check the path");
  std::ifstream stream(file, std::ios::binary);
  STRATA_CHECK(stream, environment, "config",
               fmt::format("cannot open {}: {}", printable(file, 400), std::strerror(errno)), "check its permissions");
  std::string text(kLargestText + 1, '\0');
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(stream.gcount()));
  return parse(text, file);
}

}  // namespace strata::config
