// SPDX-License-Identifier: Apache-2.0
#include "io/dicom/fields.hpp"

#include <dcmtk/dcmdata/dcspchrs.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>

namespace strata::io::dicom {
namespace {

constexpr std::string_view kBlanks(" \t\r\n\0", 5);

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

// Empty where it is absent, or where memory would be asked for that no text of a header needs: a claimed length is not
// believed (and getLength() would load the value).
OFString raw_text(DcmItem& item, const DcmTagKey& tag) {
  constexpr Uint32 kLongestText = 1 << 16;
  DcmElement* element = nullptr;
  OFString text;
  if (item.findAndGetElement(tag, element).bad() || element == nullptr || element->getLengthField() > kLongestText)
    return {};
  return element->getOFStringArray(text).good() ? text : OFString();
}

std::string in_utf8(DcmItem& item, const OFString& text) {
  const auto foreign = [](char c) { return static_cast<unsigned char>(c) >= 0x80 || c == 0x1b; };
  if (std::none_of(text.begin(), text.end(), foreign)) return {text.data(), text.size()};
  OFString converted;
  const OFString charset = raw_text(item, DCM_SpecificCharacterSet);
  DcmSpecificCharacterSet converter;
  if (converter.selectCharacterSet(charset).good() && converter.convertString(text, converted).good())
    return {converted.data(), converted.size()};
  return {text.data(), text.size()};
}

std::optional<double> parsed(std::string_view text) {
  text = trimmed(text);
  if (text.starts_with('+')) text.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) return std::nullopt;
  return value;
}

template <class Value, class Element>
std::optional<double> binary(Element& element, OFCondition (Element::*get)(Value&, const unsigned long),
                             unsigned long index) {
  Value value{};
  if ((element.*get)(value, index).bad() || !std::isfinite(static_cast<double>(value))) return std::nullopt;
  return static_cast<double>(value);
}

std::optional<double> number_in(DcmElement& element, unsigned long index) {
  if (element.getLengthField() > 4096) return std::nullopt;
  switch (element.ident()) {
    case EVR_FD: return binary(element, &DcmElement::getFloat64, index);
    case EVR_FL: return binary(element, &DcmElement::getFloat32, index);
    case EVR_US: return binary(element, &DcmElement::getUint16, index);
    case EVR_SS: return binary(element, &DcmElement::getSint16, index);
    case EVR_UL: return binary(element, &DcmElement::getUint32, index);
    case EVR_SL: return binary(element, &DcmElement::getSint32, index);
    default: break;
  }
  OFString text;
  if (element.getOFString(text, index).bad()) return std::nullopt;
  return parsed({text.data(), text.size()});
}

}  // namespace

std::string text_of(DcmItem& item, const DcmTagKey& tag) {
  return std::string(trimmed(in_utf8(item, raw_text(item, tag))));
}

std::optional<double> number_of(DcmItem& item, const DcmTagKey& tag, unsigned long index) {
  DcmElement* element = nullptr;
  if (item.findAndGetElement(tag, element).bad() || element == nullptr) return std::nullopt;
  return number_in(*element, index);
}

std::int32_t integer_of(DcmItem& item, const DcmTagKey& tag, std::int32_t otherwise) {
  const std::optional<double> value = number_of(item, tag);
  if (!value || std::abs(*value) > std::numeric_limits<std::int32_t>::max()) return otherwise;
  return static_cast<std::int32_t>(std::lround(*value));
}

std::optional<study::Vec3> vector_of(DcmItem& item, const DcmTagKey& tag, unsigned long first) {
  study::Vec3 vector{};
  for (unsigned long i = 0; i < 3; ++i) {
    const std::optional<double> value = number_of(item, tag, first + i);
    if (!value) return std::nullopt;
    vector[i] = *value;
  }
  return vector;
}

DcmElement* private_element(DcmItem& item, std::uint16_t group, std::string_view creator, std::uint16_t low) {
  for (std::uint16_t block = 0x10; block < 0x20; ++block) {
    if (text_of(item, DcmTagKey(group, block)) != creator) continue;
    DcmElement* element = nullptr;
    item.findAndGetElement(DcmTagKey(group, static_cast<std::uint16_t>(block << 8 | low)), element);
    return element;
  }
  return nullptr;
}

std::optional<double> private_number(DcmItem& item, std::uint16_t group, std::string_view creator, std::uint16_t low,
                                     unsigned long index) {
  DcmElement* element = private_element(item, group, creator, low);
  if (element == nullptr) return std::nullopt;
  const DcmEVR vr = element->ident();
  if (vr != EVR_UN && vr != EVR_OB && vr != EVR_UNKNOWN && vr != EVR_UNKNOWN2B) return number_in(*element, index);
  Uint8* bytes = nullptr;
  const std::size_t length = element->getLengthField();
  if (length > 4096 || element->getUint8Array(bytes).bad() || bytes == nullptr) return std::nullopt;
  std::string_view rest(reinterpret_cast<const char*>(bytes), length);
  for (unsigned long skip = 0; skip < index && !rest.empty(); ++skip)
    rest = rest.find('\\') == std::string_view::npos ? std::string_view() : rest.substr(rest.find('\\') + 1);
  if (const auto value = parsed(rest.substr(0, rest.find('\\')))) return value;
  const auto as = [&]<class T>(T value) -> std::optional<double> {
    std::memcpy(&value, bytes, sizeof value);
    return std::isfinite(static_cast<double>(value)) ? std::optional(static_cast<double>(value)) : std::nullopt;
  };
  if (length == 2) return as(std::uint16_t{});
  if (length == 4) return as(float{});
  if (length == 8) return as(double{});
  return std::nullopt;
}

DcmSequenceOfItems* sequence_of(DcmItem& item, const DcmTagKey& tag) {
  DcmSequenceOfItems* sequence = nullptr;
  item.findAndGetSequence(tag, sequence);
  return sequence != nullptr && sequence->card() > 0 ? sequence : nullptr;
}

DcmItem* first_item_of(DcmItem& item, const DcmTagKey& tag) {
  DcmSequenceOfItems* sequence = sequence_of(item, tag);
  return sequence != nullptr ? sequence->getItem(0) : nullptr;
}

std::uint64_t hash_of(std::string_view text) {
  if (text.empty()) return 0;
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

}  // namespace strata::io::dicom
