#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Loads what `strata export` wrote into other programs and holds their embeddings against those of `strata embed`.

    python perf/peer/check_hand_over.py --model model.safetensors --text bert/ --features features.h5 --set shards/

`model` is an export of form open_clip, `bert` one of form huggingface of the same checkpoint, `features` the embeddings
of the set's studies and reports (strata embed --texts). Shards are read with h5py, reports cut by transformers' BertTokenizer.

  images  the HLIP encoder of hlip_torch.py; where every block attends within one scan, a timm VisionTransformer too,
          as the image tower of open_clip's CustomTextCLIP, which takes the whole file by load_state_dict(strict=True)
  texts   open_clip's HFTextEncoder around transformers' BertModel; BertModel.from_pretrained on the folder

Fails beyond 1e-5 of a unit vector.   pip install torch timm open_clip_torch 'transformers<5' safetensors h5py
"""

import argparse
import json
from pathlib import Path

import h5py
import open_clip
import timm
import torch
import torch.nn.functional as F
import transformers
from open_clip.hf_model import HFTextEncoder
from open_clip.model import CLIPTextCfg, CLIPVisionCfg, CustomTextCLIP
from safetensors import safe_open
from timm.models.vision_transformer import VisionTransformer
from torch import nn

from check_published import read_config
from hlip_torch import Config, Hlip

LIMIT = 1e-5
MEAN, DEVIATION = 0.449, 0.226  # of the published intensity normalisation


def read_weights(path):
    with safe_open(path, "pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}, file.metadata()


def text_of(values) -> list[str]:
    return [value.decode() for value in values]


def read_studies(folder: Path):
    """key -> (scans [N, C, D, H, W] as a model sees them, sentences of the report)."""
    studies = {}
    for path in sorted(folder.glob("shard-*.h5")):
        with h5py.File(path) as file:
            voxels = file["voxels"]
            scale, shift = float(voxels.attrs["value_scale"]), float(voxels.attrs["value_shift"])
            table, sentences = file["studies"], file["sentences"]
            first_scan, first_sentence = table["first_scan"][:], table["first_sentence"][:]
            first_byte, letters = sentences["first_byte"][:], bytes(sentences["text"][:])
            for i, key in enumerate(text_of(table["key"][:])):
                scans = torch.from_numpy(voxels[first_scan[i]:first_scan[i + 1]]).float() * scale + shift
                rows = range(first_sentence[i], first_sentence[i + 1])
                report = [letters[first_byte[r]:first_byte[r + 1]].decode() for r in rows]
                studies[key] = ((scans - MEAN) / DEVIATION, report)
    return studies


def below(prefixes: list[str], tensors: dict) -> dict:
    return {name: tensor for name, tensor in tensors.items() if name.startswith(tuple(prefixes))}


def hlip_images(weights, config: Config, studies):
    model = Hlip(config).eval()
    model.load_state_dict(below(["visual."], weights))
    return torch.cat([model(scans, [len(scans)]) for scans, _ in studies])


class Patches(nn.Module):
    """The patch embedding of a volume in the place of timm's."""

    def __init__(self, config: Config):
        super().__init__()
        self.proj = nn.Conv3d(1, config.dim, config.patch, stride=config.patch)
        d, h, w = config.grid
        self.num_patches, self.grid_size, self.patch_size = d * h * w, config.grid, config.patch

    def forward(self, scans):
        return self.proj(scans).flatten(2).transpose(1, 2)


def timm_can(config: Config) -> bool:
    return config.max_num_scans == 1 and not config.slice and not config.reg_tokens and config.head == "cls"


def register_trunk(config: Config) -> str:
    @timm.models.register_model
    def strata_vit3d(pretrained=False, **kwargs):
        model = VisionTransformer(
            img_size=config.img[1], patch_size=config.patch[1], embed_dim=config.dim, depth=config.depth,
            num_heads=config.heads, num_classes=0, no_embed_class=True, embed_layer=lambda **_: Patches(config))
        model.default_cfg = {}
        return model

    return strata_vit3d.__name__


def open_clip_model(config: Config, folder: Path) -> CustomTextCLIP:
    vision = CLIPVisionCfg(timm_model_name=register_trunk(config), timm_pool="token", timm_proj="linear")
    text = CLIPTextCfg(hf_model_name=str(folder), hf_model_pretrained=False, hf_proj_type="linear",
                       hf_pooler_type="cls_last_hidden_state_pooler")
    return CustomTextCLIP(config.embedding_dim, vision, text).eval()


def timm_names(weights: dict) -> dict:
    """timm keeps the position table flat and calls it pos_embed."""
    weights = dict(weights)
    table = weights.pop("visual.trunk.spatial_posemb")
    return weights | {"visual.trunk.pos_embed": table.flatten(1, 3)}


def tokens_of(folder: Path, reports: list[str], context: int):
    tokenizer = transformers.BertTokenizer.from_pretrained(folder)
    return tokenizer(reports, return_tensors="pt", padding=True, truncation=True, max_length=context).input_ids


def text_encoder(weights, folder: Path, width: int) -> HFTextEncoder:
    model = HFTextEncoder(str(folder), width, pooler_type="cls_last_hidden_state_pooler", proj_type="linear",
                          pretrained=False).eval()
    model.load_state_dict({name.removeprefix("text."): t for name, t in below(["text."], weights).items()})
    return model


def pretrained_texts(folder: Path, ids):
    """transformers alone: the folder as anybody loads it, and its projection."""
    model, report = transformers.BertModel.from_pretrained(folder, add_pooling_layer=False, output_loading_info=True)
    assert not report["missing_keys"] and not report["mismatched_keys"], report
    projection = read_weights(folder / "model.safetensors")[0]["text_projection.weight"]
    mask = (ids != model.config.pad_token_id).long()
    hidden = model.eval()(input_ids=ids, attention_mask=mask).last_hidden_state[:, 0]
    return hidden @ projection.T


def report_difference(what: str, theirs, ours) -> float:
    difference = float((F.normalize(theirs, dim=-1) - F.normalize(ours, dim=-1)).norm(dim=-1).max())
    print(f"{what:64} {len(ours):4} studies, worst {difference:.1e}")
    return difference


def check(options) -> float:
    weights, metadata = read_weights(options.model)
    config = read_config(metadata)
    by_key = read_studies(options.set)
    with h5py.File(options.features) as file:
        keys, images, texts = text_of(file["keys"][:]), file["embeddings"][:], file["text_embeddings"][:]
    images, texts = torch.from_numpy(images), torch.from_numpy(texts)
    studies = [by_key[key] for key in keys]
    if config.max_num_scans == 1:
        studies = [(scans[:1], report) for scans, report in studies]
    context = json.loads((options.text / "tokenizer_config.json").read_text())["model_max_length"]
    ids = tokens_of(options.text, [options.prefix + " ".join(report) for _, report in studies], context)
    weights = {name: tensor.float() for name, tensor in weights.items()}
    worst = [
        report_difference("images: hlip_torch.py", hlip_images(weights, config, studies), images),
        report_difference(f"texts: open_clip {open_clip.__version__} HFTextEncoder",
                          text_encoder(weights, options.text, texts.shape[-1])(ids), texts),
        report_difference(f"texts: transformers {transformers.__version__} BertModel.from_pretrained",
                          pretrained_texts(options.text, ids), texts),
    ]
    if timm_can(config):
        model = open_clip_model(config, options.text)
        model.load_state_dict(timm_names(weights), strict=True)
        scans = torch.cat([scans for scans, _ in studies])
        worst += [
            report_difference(f"images: open_clip CustomTextCLIP, timm {timm.__version__} VisionTransformer",
                              model.encode_image(scans), images),
            report_difference("texts: open_clip CustomTextCLIP", model.encode_text(ids), texts),
        ]
    return max(worst)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("model", "text", "features", "set"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--prefix", default="", help="the run's text.prefix")
    with torch.inference_mode():
        if check(parser.parse_args()) > LIMIT:
            raise SystemExit(f"beyond {LIMIT}")


if __name__ == "__main__":
    main()
