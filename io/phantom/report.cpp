// SPDX-License-Identifier: Apache-2.0
#include "io/phantom/report.hpp"

#include <fmt/format.h>

#include <array>

namespace strata::phantom {
namespace {

using Texts = std::vector<std::string>;

const char* side_of(const Lesion& lesion) {
  return lesion.side == 0 ? "bilateral" : lesion.side > 0 ? "left" : "right";
}

// Lengths in one of the ways people write them.
std::string length_of(Draws& draws, float mm) {
  return draws.chance(0.5) ? fmt::format("{:.0f} mm", mm) : fmt::format("{:.1f} cm", mm / 10);
}

std::string area_of(Draws& draws, const Point& radii) {
  return draws.chance(0.5) ? fmt::format("{:.0f} x {:.0f} mm", 2 * radii.x, 2 * radii.y)
                           : fmt::format("{:.1f} x {:.1f} cm", radii.x / 5, radii.y / 5);
}

const char* amount(float value, float moderate, float large) {
  return value < moderate ? "small" : value < large ? "moderate" : "large";
}

std::string parenchymal(Draws& draws, const Lesion& lesion) {
  const auto side = side_of(lesion);
  const auto area = area_of(draws, lesion.radii);
  const auto size = amount(lesion.radii.x, 13, 18);
  return draws.pick(Texts{
      fmt::format("Acute intraparenchymal hemorrhage in the {} {} measuring {} with surrounding edema.", side,
                  lesion.place, area),
      fmt::format("There is a {} intraparenchymal hematoma centered in the {} {}, {}.", size, side, lesion.place, area),
      fmt::format("Hyperdense intraparenchymal bleed within the {} {}.", side, lesion.place),
      fmt::format("{} {} intracerebral (intraparenchymal) hemorrhage of {} size.", lesion.side > 0 ? "Left" : "Right",
                  lesion.place, size),
  });
}

std::string intraventricular(Draws& draws, const Lesion& lesion) {
  const std::string where =
      lesion.side == 0 ? "both lateral ventricles" : fmt::format("the {} lateral ventricle", side_of(lesion));
  if (lesion.layered)
    return draws.pick(Texts{
        "Intraventricular hemorrhage layering in the occipital horns of both lateral ventricles.",
        "Small amount of layering intraventricular blood in the occipital horns bilaterally.",
        "Dependent intraventricular hemorrhage with blood-fluid levels in both occipital horns.",
    });
  return draws.pick(Texts{
      fmt::format("Intraventricular hemorrhage filling {}.", where),
      fmt::format("There is intraventricular blood casting {}.", where),
      fmt::format("Hyperdense intraventricular hemorrhage within {}, which appears distended.", where),
  });
}

std::string subdural(Draws& draws, const Lesion& lesion) {
  const auto side = side_of(lesion);
  const auto width = length_of(draws, lesion.thickness);
  if (lesion.chronic)
    return draws.pick(Texts{
        fmt::format("Chronic subdural hematoma over the {} cerebral convexity, up to {} thick.", side, width),
        fmt::format(
            "Hypodense {} convexity subdural collection measuring {}, consistent with chronic subdural hemorrhage.",
            side, width),
        fmt::format("There is a chronic {} subdural hematoma of {}.", side, width),
    });
  return draws.pick(Texts{
      fmt::format("Acute subdural hematoma along the {} cerebral convexity measuring {} in thickness.", side, width),
      fmt::format("Crescentic hyperdense {} subdural hemorrhage, maximal thickness {}.", side, width),
      fmt::format("There is a {} {} holohemispheric acute subdural hematoma.", amount(lesion.thickness, 9, 13), side),
  });
}

std::string epidural(Draws& draws, const Lesion& lesion) {
  const auto side = side_of(lesion);
  const auto width = length_of(draws, lesion.thickness);
  return draws.pick(Texts{
      fmt::format("Biconvex {} {} epidural hematoma measuring {} in maximal thickness.", side, lesion.place, width),
      fmt::format("Acute epidural hemorrhage along the {} {} convexity, {} thick.", side, lesion.place, width),
      fmt::format("There is a {} lentiform epidural hematoma in the {} {} region.", amount(lesion.thickness, 15, 20),
                  side, lesion.place),
  });
}

std::string subarachnoid(Draws& draws, const Lesion& lesion) {
  if (lesion.basal)
    return draws.pick(Texts{
        "Diffuse subarachnoid hemorrhage in the basal cisterns and both sylvian fissures.",
        "Acute subarachnoid blood fills the suprasellar cistern, the sylvian fissures and the anterior "
        "interhemispheric fissure.",
        "Extensive basal cistern subarachnoid hemorrhage, aneurysmal pattern.",
    });
  const auto side = side_of(lesion);
  return draws.pick(Texts{
      fmt::format("Subarachnoid hemorrhage within the {} {} sulci.", side, lesion.place),
      fmt::format("Acute {} convexity subarachnoid hemorrhage, predominantly {}.", side, lesion.place),
      fmt::format("There is sulcal subarachnoid blood over the {} cerebral hemisphere and in the {} sylvian fissure.",
                  side, side),
  });
}

std::string fracture(Draws& draws, const Lesion& lesion) {
  const auto side = side_of(lesion);
  const bool depressed = lesion.radii.x > 0;
  return draws.pick(Texts{
      fmt::format("{} fracture of the {} {} bone with overlying scalp hematoma.", depressed ? "Depressed" : "Linear",
                  side, lesion.place),
      fmt::format("{}isplaced calvarial fracture through the {} {} bone, overlying scalp swelling.",
                  depressed ? "D" : "Nond", side, lesion.place),
      fmt::format("There is a {}{} {} skull fracture with soft tissue swelling.", depressed ? "depressed " : "", side,
                  lesion.place),
  });
}

std::string mass(Draws& draws, const Lesion& lesion) {
  const auto side = side_of(lesion);
  const auto area = area_of(draws, lesion.radii);
  return draws.pick(Texts{
      fmt::format("Hypodense mass lesion in the {} {} measuring {}, suspicious for neoplasm.", side, lesion.place,
                  area),
      fmt::format("There is a {} low-attenuation lesion in the {} {} with vasogenic edema.", area, side, lesion.place),
  });
}

std::string sentence_of(Draws& draws, const Lesion& lesion) {
  switch (lesion.kind) {
    case LesionKind::parenchymal: return parenchymal(draws, lesion);
    case LesionKind::intraventricular: return intraventricular(draws, lesion);
    case LesionKind::subdural: return subdural(draws, lesion);
    case LesionKind::epidural: return epidural(draws, lesion);
    case LesionKind::subarachnoid: return subarachnoid(draws, lesion);
    case LesionKind::fracture: return fracture(draws, lesion);
    case LesionKind::mass: return mass(draws, lesion);
  }
  return {};
}

void add_effects(Draws& draws, const Findings& findings, Texts& to) {
  const auto from = findings.shift_side > 0 ? "left" : "right", towards = findings.shift_side > 0 ? "right" : "left";
  if (findings.mass_effect)
    to.push_back(draws.pick(Texts{
        fmt::format("Mass effect with effacement of the {} cerebral sulci and lateral ventricle.", from),
        fmt::format("There is mass effect on the {} lateral ventricle.", from),
        "Associated local mass effect with sulcal effacement.",
    }));
  if (findings.midline_shift()) {
    const auto shift = length_of(draws, findings.shift);
    to.push_back(draws.pick(Texts{
        fmt::format("Midline shift of {} to the {}.", shift, towards),
        fmt::format("{} midline shift from {} to {}.", draws.chance(0.5) ? "There is " + shift : shift, from, towards),
        fmt::format("{} {}ward midline shift is present.", shift, towards),
    }));
  }
}

// What is not there; a report names some of it.
Texts absent(Draws& draws, const Findings& findings) {
  const auto has = [&](LesionKind kind) { return findings.find(kind) != nullptr; };
  Texts texts;
  const auto say = [&](bool applies, const Texts& wordings) {
    if (applies) texts.push_back(draws.pick(wordings));
  };
  say(!findings.bleeds(), {"No acute intracranial hemorrhage.", "No evidence of intracranial hemorrhage.",
                           "There is no intracranial bleed."});
  say(!has(LesionKind::parenchymal), {"No intraparenchymal hemorrhage.", "No intraparenchymal hematoma is seen."});
  say(!has(LesionKind::subarachnoid), {"No subarachnoid hemorrhage.", "No subarachnoid blood is seen."});
  say(!has(LesionKind::subdural) && !has(LesionKind::epidural),
      {"No extra-axial collection.", "No subdural or epidural hematoma."});
  say(has(LesionKind::epidural) && !has(LesionKind::subdural), {"No subdural hematoma."});
  say(has(LesionKind::subdural) && !has(LesionKind::epidural), {"No epidural hematoma."});
  say(!has(LesionKind::intraventricular), {"No intraventricular hemorrhage.", "The ventricles contain no blood."});
  say(!has(LesionKind::fracture),
      {"No calvarial fracture.", "No skull fracture is identified.", "The calvarium is intact."});
  say(!findings.mass_effect, {"No mass effect.", "No mass effect or herniation."});
  say(!findings.midline_shift(),
      {"No midline shift.", "The midline structures are not displaced.", "Midline is preserved."});
  say(!findings.mass_effect && findings.ventricles == 1, {"Ventricles and sulci are normal in size for age."});
  return texts;
}

}  // namespace

std::vector<std::string> write_report(Draws& draws, const Findings& findings) {
  Texts sentences;
  for (const auto& lesion : findings.lesions) sentences.push_back(sentence_of(draws, lesion));
  add_effects(draws, findings, sentences);
  Texts negatives = absent(draws, findings);
  draws.shuffle(negatives);
  const bool normal = findings.lesions.empty();
  const std::size_t kept = std::min(negatives.size(), draws.below(normal ? 4 : 3) + (normal ? 3 : 2));
  sentences.insert(sentences.end(), negatives.begin(), negatives.begin() + static_cast<std::ptrdiff_t>(kept));
  if (normal && draws.chance(0.6))
    sentences.push_back(draws.pick(Texts{"Normal noncontrast head CT.", "Unremarkable CT of the head."}));
  if (draws.chance(0.8)) draws.shuffle(sentences);
  if (draws.chance(0.3)) sentences.insert(sentences.begin(), "Noncontrast CT of the head was performed.");
  return sentences;
}

}  // namespace strata::phantom
