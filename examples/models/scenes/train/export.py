"""Writes a checkpoint as the model directory: graphs with fp16 weights, and the files of diffusers beside them.

python -m train.export --checkpoint scenes.pt --out /path/of/a/model
"""

import argparse
import json
from pathlib import Path

from .denoiser import LATENT_CHANNELS, NORM_GROUPS, TIME_WIDTH, DenoiserShape
from .attention import HEAD_WIDTH
from .grammar import vocabulary
from .graphs import halve_weights, write_graphs
from .networks import load_networks
from .text_encoder import LAYERS, TOKENS, WIDTH

VERSION = "0.40.0"
"""Of diffusers, whose layout this is."""
SHIFT = 4.0
MODEL_INDEX = {
    "_class_name": "StableDiffusionPipeline",
    "_diffusers_version": VERSION,
    "feature_extractor": [None, None],
    "image_encoder": [None, None],
    "requires_safety_checker": False,
    "safety_checker": [None, None],
    "scheduler": ["diffusers", "FlowMatchEulerDiscreteScheduler"],
    "text_encoder": ["transformers", "CLIPTextModel"],
    "tokenizer": ["transformers", "PreTrainedTokenizerFast"],
    "unet": ["diffusers", "UNet2DConditionModel"],
    "vae": ["diffusers", "AutoencoderKL"],
}
SCHEDULER = {
    "_class_name": "FlowMatchEulerDiscreteScheduler",
    "_diffusers_version": VERSION,
    "num_train_timesteps": 1000,
    "shift": SHIFT,
    "use_dynamic_shifting": False,
    "base_shift": 0.5,
    "max_shift": 1.15,
    "base_image_seq_len": 256,
    "max_image_seq_len": 4096,
    "invert_sigmas": False,
    "shift_terminal": None,
    "stochastic_sampling": False,
    "time_shift_type": "exponential",
    "use_beta_sigmas": False,
    "use_exponential_sigmas": False,
    "use_karras_sigmas": False,
}
DECODER = {
    "_class_name": "AutoencoderKL",
    "_diffusers_version": VERSION,
    "act_fn": "silu",
    "block_out_channels": [36, 36, 72, 112],
    "up_block_types": ["UpDecoderBlock2D"] * 4,
    "layers_per_block": 1,
    "in_channels": 3,
    "out_channels": 3,
    "latent_channels": LATENT_CHANNELS,
    "sample_size": 512,
    "scaling_factor": 1.0,
    "shift_factor": 0.0,
    "norm_num_groups": None,
    "mid_block_add_attention": False,
    "use_quant_conv": False,
    "use_post_quant_conv": False,
    "force_upcast": False,
    "spatial_scale_factor": 8,
}
TEXT_ENCODER = {
    "architectures": ["ScenesTextEncoder"],
    "model_type": "scenes_text",
    "hidden_size": WIDTH,
    "intermediate_size": 4 * WIDTH,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": WIDTH // HEAD_WIDTH,
    "max_position_embeddings": TOKENS,
    "vocab_size": len(vocabulary()),
    "bos_token_id": 1,
    "pad_token_id": 0,
    "hidden_act": "gelu",
    "layer_norm_eps": 1e-05,
}


def denoiser_config(shape: DenoiserShape) -> dict:
    blocks = ["CrossAttnDownBlock2D" if has else "DownBlock2D" for has in shape.attention]
    return {
        "_class_name": "UNet2DConditionModel",
        "_diffusers_version": VERSION,
        "act_fn": "silu",
        "attention_head_dim": [width // HEAD_WIDTH for width in shape.channels],
        "block_out_channels": shape.channels,
        "center_input_sample": False,
        "cross_attention_dim": shape.text_width,
        "down_block_types": blocks,
        "downsample_padding": 1,
        "flip_sin_to_cos": True,
        "freq_shift": 0,
        "in_channels": LATENT_CHANNELS,
        "layers_per_block": shape.blocks,
        "mid_block_type": "UNetMidBlock2DCrossAttn",
        "norm_eps": 1e-05,
        "norm_num_groups": NORM_GROUPS,
        "out_channels": LATENT_CHANNELS,
        "sample_size": 64,
        "time_embedding_dim": TIME_WIDTH,
        "time_embedding_type": "positional",
        "transformer_layers_per_block": 1,
        "up_block_types": [name.replace("Down", "Up") for name in reversed(blocks)],
        "use_linear_projection": True,
    }


def tokenizer_files() -> dict[str, dict]:
    """The Hugging Face description of `token_ids`."""
    ids = vocabulary()
    names = {"bos_token": "<bos>", "pad_token": "<pad>", "unk_token": "<unk>"}
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    special = {
        word: {"content": word, **flags, "special": True} for word in ("<pad>", "<bos>", "<unk>")
    }
    bos = {"SpecialToken": {"id": "<bos>", "type_id": 0}}
    first, second = ({"Sequence": {"id": i, "type_id": n}} for n, i in enumerate("AB"))
    padding = {"strategy": {"Fixed": TOKENS}, "direction": "Right", "pad_to_multiple_of": None}
    return {
        "tokenizer.json": {
            "version": "1.0",
            "truncation": {
                "direction": "Right",
                "max_length": TOKENS,
                "strategy": "LongestFirst",
                "stride": 0,
            },
            "padding": {**padding, "pad_id": 0, "pad_type_id": 0, "pad_token": "<pad>"},
            "added_tokens": [{"id": ids[word], **token} for word, token in special.items()],
            "normalizer": {"type": "Lowercase"},
            "pre_tokenizer": {
                "type": "Split",
                "pattern": {"Regex": "[a-z]+"},
                "behavior": "Removed",
                "invert": True,
            },
            "post_processor": {
                "type": "TemplateProcessing",
                "single": [bos, first],
                "pair": [bos, first, second],
                "special_tokens": {"<bos>": {"id": "<bos>", "ids": [1], "tokens": ["<bos>"]}},
            },
            "decoder": None,
            "model": {"type": "WordLevel", "vocab": ids, "unk_token": "<unk>"},
        },
        "tokenizer_config.json": {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "model_max_length": TOKENS,
            "padding_side": "right",
            "truncation_side": "right",
            "do_lower_case": True,
            "clean_up_tokenization_spaces": False,
            **names,
            "added_tokens_decoder": {str(ids[word]): token for word, token in special.items()},
        },
        "special_tokens_map.json": names,
        "vocab.json": ids,
    }


def write_json(path: Path, value: dict) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=2) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="model directory")
    args = parser.parse_args()
    networks, _ = load_networks(args.checkpoint)
    write_graphs(networks, args.out)
    for part in ("text_encoder", "unet", "vae_decoder"):
        halve_weights(args.out / part / "model.onnx")
    write_json(args.out / "model_index.json", MODEL_INDEX)
    write_json(args.out / "scheduler/scheduler_config.json", SCHEDULER)
    write_json(args.out / "unet/config.json", denoiser_config(networks.shape))
    write_json(args.out / "vae_decoder/config.json", DECODER)
    write_json(args.out / "text_encoder/config.json", TEXT_ENCODER)
    for name, value in tokenizer_files().items():
        write_json(args.out / "tokenizer" / name, value)


if __name__ == "__main__":
    main()
