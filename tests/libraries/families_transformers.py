"""Models of transformers: small, with random weights, and masks and padding where they have them.

Each entry makes a model and what computes the loss of the next step. Nothing here is wrong: every number
that is not finite is meant so.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import torch

from libraries.family import Family
from verdict.healthy import Made, Step

TOKENS = 60  # words that there are
WORDS, LETTERS = 12, 6  # of an input, of an output


def _transformer(name: str, config: str, **settings: Any) -> Callable[[Callable[[Any], Step]], Family]:
    """A class of transformers with its configuration; the batch is chosen by what it is for."""

    def of(batch: Callable[[Any], Step]) -> Family:
        def make() -> Made:
            library = importlib.import_module("transformers")
            model = getattr(library, name)(getattr(library, config)(**settings))
            return model, batch(model)

        return Family("transformers", name, make)

    return of


def _ids(rows: int = 2, words: int = WORDS) -> torch.Tensor:
    return torch.randint(3, TOKENS, (rows, words))


def _mask(ids: torch.Tensor, left: bool) -> torch.Tensor:
    """The first row is a third padding."""
    mask = torch.ones_like(ids)
    padding = ids.shape[1] // 3
    mask[0, slice(0, padding) if left else slice(-padding, None)] = 0
    return mask


def _text(model: Any, left: bool = False, **more: Any) -> Step:
    def step() -> torch.Tensor:
        ids = _ids()
        mask = _mask(ids, left)
        labels = ids.masked_fill(mask == 0, -100)
        loss: torch.Tensor = model(input_ids=ids, attention_mask=mask, labels=labels, **more).loss
        return loss

    return step


def _left(model: Any) -> Step:
    return _text(model, left=True)


def _experts(model: Any) -> Step:
    return _text(model, left=True, output_router_logits=True)


def _permuted(model: Any) -> Step:
    """XLNet predicts in any order: its own mask says which."""

    def step() -> torch.Tensor:
        ids = _ids()
        order = torch.triu(torch.ones(WORDS, WORDS), diagonal=0).expand(2, -1, -1)
        loss: torch.Tensor = model(
            input_ids=ids, perm_mask=order, attention_mask=_mask(ids, True), labels=ids
        ).loss
        return loss

    return step


def _translation(model: Any) -> Step:
    def step() -> torch.Tensor:
        ids, labels = _ids(), _ids(words=LETTERS)
        labels[0, -2:] = -100
        loss: torch.Tensor = model(input_ids=ids, attention_mask=_mask(ids, False), labels=labels).loss
        return loss

    return step


def _picture(model: Any) -> Step:
    def step() -> torch.Tensor:
        pixels, labels = torch.randn(2, 3, 32, 32), torch.randint(0, 2, (2,))
        loss: torch.Tensor = model(pixel_values=pixels, labels=labels).loss
        return loss

    return step


def _segments(model: Any) -> Step:
    def step() -> torch.Tensor:
        pixels, labels = torch.randn(2, 3, 64, 64), torch.randint(0, 2, (2, 64, 64))
        labels[:, :4] = 255
        loss: torch.Tensor = model(pixel_values=pixels, labels=labels).loss
        return loss

    return step


def _speech(model: Any) -> Step:
    """Connectionist temporal classification; one recording is shorter."""

    def step() -> torch.Tensor:
        sound = torch.randn(2, 4000)
        mask = torch.ones(2, 4000, dtype=torch.long)
        mask[0, 3000:] = 0
        labels = torch.randint(1, 20, (2, 4))
        labels[0, 3:] = -100
        loss: torch.Tensor = model(input_values=sound, attention_mask=mask, labels=labels).loss
        return loss

    return step


def _dictation(model: Any) -> Step:
    def step() -> torch.Tensor:
        labels = _ids(words=LETTERS)
        labels[0, -2:] = -100
        loss: torch.Tensor = model(input_features=torch.randn(2, 8, 40), labels=labels).loss
        return loss

    return step


def _captions(model: Any) -> Step:
    def step() -> torch.Tensor:
        ids = _ids(rows=4)
        ids[:, -1] = TOKENS - 1
        loss: torch.Tensor = model(
            input_ids=ids,
            attention_mask=_mask(ids, False),
            pixel_values=torch.randn(4, 3, 32, 32),
            return_loss=True,
        ).loss
        return loss

    return step


def _series(model: Any) -> Step:
    """Some values of the past are missing: a mask says so."""

    def step() -> torch.Tensor:
        past, observed = torch.randn(2, 24), torch.rand(2, 24) > 0.2
        loss: torch.Tensor = model(
            past_values=past,
            past_time_features=torch.randn(2, 24, 1),
            past_observed_mask=observed,
            future_values=torch.randn(2, 6),
            future_time_features=torch.randn(2, 6, 1),
        ).loss
        return loss

    return step


_SMALL: dict[str, Any] = {
    "vocab_size": TOKENS,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "pad_token_id": 0,
}
_GPT: dict[str, Any] = {"vocab_size": TOKENS, "n_embd": 32, "n_layer": 2, "n_head": 2}
_BART: dict[str, Any] = {
    "vocab_size": TOKENS,
    "d_model": 32,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 64,
    "decoder_ffn_dim": 64,
    "pad_token_id": 0,
    "decoder_start_token_id": 2,
}
_VISION: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "image_size": 32,
    "patch_size": 8,
}
_SOUND: dict[str, Any] = {
    **_SMALL,
    "vocab_size": 20,
    "conv_dim": (16, 16),
    "conv_kernel": (10, 8),
    "conv_stride": (10, 8),
    "num_feat_extract_layers": 2,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 2,
    "mask_time_length": 2,
    "ctc_zero_infinity": True,
}
TRANSFORMERS = (
    _transformer("GPT2LMHeadModel", "GPT2Config", **_GPT)(_left),
    _transformer(
        "GPTNeoForCausalLM",
        "GPTNeoConfig",
        vocab_size=TOKENS,
        hidden_size=32,
        num_layers=2,
        num_heads=2,
        attention_types=[[["global", "local"], 1]],
        window_size=4,
    )(_left),
    _transformer("LlamaForCausalLM", "LlamaConfig", num_key_value_heads=1, **_SMALL)(_left),
    _transformer("MistralForCausalLM", "MistralConfig", num_key_value_heads=1, sliding_window=4, **_SMALL)(
        _left
    ),
    _transformer("MixtralForCausalLM", "MixtralConfig", num_key_value_heads=1, num_local_experts=4, **_SMALL)(
        _experts
    ),
    _transformer(
        "Qwen2MoeForCausalLM",
        "Qwen2MoeConfig",
        num_key_value_heads=1,
        num_experts=4,
        moe_intermediate_size=16,
        shared_expert_intermediate_size=16,
        **_SMALL,
    )(_experts),
    _transformer(
        "Gemma2ForCausalLM", "Gemma2Config", num_key_value_heads=1, head_dim=16, sliding_window=4, **_SMALL
    )(_left),
    _transformer(
        "FalconForCausalLM",
        "FalconConfig",
        vocab_size=TOKENS,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        alibi=True,
    )(_left),
    _transformer(
        "OPTForCausalLM",
        "OPTConfig",
        vocab_size=TOKENS,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        ffn_dim=64,
        word_embed_proj_dim=32,
    )(_left),
    _transformer("BloomForCausalLM", "BloomConfig", vocab_size=TOKENS, hidden_size=32, n_layer=2, n_head=2)(
        _left
    ),
    _transformer(
        "MambaForCausalLM",
        "MambaConfig",
        vocab_size=TOKENS,
        hidden_size=32,
        num_hidden_layers=2,
        state_size=4,
    )(_left),
    _transformer(
        "Mamba2ForCausalLM",
        "Mamba2Config",
        vocab_size=TOKENS,
        hidden_size=32,
        num_hidden_layers=2,
        state_size=4,
        num_heads=4,
        head_dim=16,
        n_groups=1,
        chunk_size=4,
    )(_left),
    _transformer(
        "RwkvForCausalLM",
        "RwkvConfig",
        vocab_size=TOKENS,
        hidden_size=32,
        num_hidden_layers=2,
        attention_hidden_size=32,
    )(_left),
    _transformer("BertForMaskedLM", "BertConfig", **_SMALL)(_text),
    _transformer("RobertaForMaskedLM", "RobertaConfig", **_SMALL)(_text),
    _transformer("AlbertForMaskedLM", "AlbertConfig", embedding_size=16, **_SMALL)(_text),
    _transformer(
        "DistilBertForMaskedLM",
        "DistilBertConfig",
        vocab_size=TOKENS,
        dim=32,
        n_layers=2,
        n_heads=2,
        hidden_dim=64,
    )(_text),
    _transformer(
        "DebertaV2ForMaskedLM",
        "DebertaV2Config",
        relative_attention=True,
        pos_att_type=["c2p", "p2c"],
        **_SMALL,
    )(_text),
    _transformer("LongformerForMaskedLM", "LongformerConfig", attention_window=4, **_SMALL)(_text),
    _transformer("BigBirdForMaskedLM", "BigBirdConfig", attention_type="original_full", **_SMALL)(_text),
    _transformer(
        "XLNetLMHeadModel", "XLNetConfig", vocab_size=TOKENS, d_model=32, n_layer=2, n_head=2, d_inner=64
    )(_permuted),
    _transformer(
        "T5ForConditionalGeneration",
        "T5Config",
        vocab_size=TOKENS,
        d_model=32,
        num_layers=2,
        num_heads=2,
        d_ff=64,
        d_kv=16,
        decoder_start_token_id=0,
    )(_translation),
    _transformer("BartForConditionalGeneration", "BartConfig", **_BART)(_translation),
    _transformer("ViTForImageClassification", "ViTConfig", **_VISION)(_picture),
    _transformer(
        "SwinForImageClassification",
        "SwinConfig",
        image_size=32,
        patch_size=4,
        embed_dim=16,
        depths=[2, 2],
        num_heads=[2, 2],
        window_size=4,
    )(_picture),
    _transformer(
        "SegformerForSemanticSegmentation",
        "SegformerConfig",
        hidden_sizes=[8, 8, 16, 16],
        depths=[1, 1, 1, 1],
        num_attention_heads=[1, 1, 2, 2],
        decoder_hidden_size=16,
    )(_segments),
    _transformer("Wav2Vec2ForCTC", "Wav2Vec2Config", **_SOUND)(_speech),
    _transformer("HubertForCTC", "HubertConfig", **_SOUND)(_speech),
    _transformer(
        "WhisperForConditionalGeneration",
        "WhisperConfig",
        num_mel_bins=8,
        max_source_positions=20,
        max_target_positions=20,
        bos_token_id=1,
        eos_token_id=2,
        **_BART,
    )(_dictation),
    _transformer(
        "CLIPModel",
        "CLIPConfig",
        text_config={**_SMALL, "eos_token_id": TOKENS - 1},
        vision_config=_VISION,
        projection_dim=16,
    )(_captions),
    _transformer(
        "TimeSeriesTransformerForPrediction",
        "TimeSeriesTransformerConfig",
        prediction_length=6,
        context_length=17,
        num_time_features=1,
        d_model=16,
        encoder_layers=1,
        decoder_layers=1,
        encoder_ffn_dim=16,
        decoder_ffn_dim=16,
    )(_series),
)
