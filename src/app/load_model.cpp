// SPDX-License-Identifier: Apache-2.0
#include "app/image_text_model.hpp"
#include "app/named_checkpoint.hpp"

namespace strata::app {

LoadedModel load_model(Context& ctx, comm::Communicator& world, const std::string& path, bool best) {
  const NamedCheckpoint named = open_named_checkpoint(world, path, best);
  const io::StoredCheckpoint& stored = *named.stored;
  LoadedModel loaded;
  loaded.run = parse_run(checkpoint_text(stored, kConfigText), stored.path());
  loaded.model = build_model(ctx, loaded.run, checkpoint_text(stored, kVocabularyText), false);
  engine::load_weights(ctx, stored, *loaded.model.objective, engine::has_averages(stored));
  loaded.step = stored.step();
  loaded.path = stored.path();
  return loaded;
}

}  // namespace strata::app
