"""Small tokenizers as checkpoint folders hold them, trained here in a moment."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from tokenizers.trainers import BpeTrainer

SPECIALS = (
    *("<pad>", "<eos>", "<bos>", "<|turn>", "<turn|>"),
    *("<|channel>", "<channel|>", "<|think|>"),
)
CORPUS = (
    "The cat sat on the mat, and the dog sat by the door.\n",
    "system user model thought\nassistant\n",
    "Fill in the blanks: 1 + 1 = 2, naïve café, größer als.\n",
)
#: As Gemma's does: turns between marks, thinking asked for by a token, a prompt that begins a turn.
TEMPLATE = """{{ bos_token }}
{%- if enable_thinking is defined and enable_thinking %}
    {{- '<|turn>system\\n<|think|><turn|>\\n' }}
{%- endif %}
{%- for message in messages %}
    {%- if message['role'] not in ['system', 'user', 'assistant'] %}
        {{- raise_exception('no role ' + message['role']) }}
    {%- endif %}
    {%- set role = 'model' if message['role'] == 'assistant' else message['role'] %}
    {{- '<|turn>' + role + '\\n' + message['content'] | trim + '<turn|>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|turn>model\\n' }}
{%- endif %}
"""
CONFIG: Mapping[str, Any] = {
    "tokenizer_class": "PreTrainedTokenizerFast",
    "bos_token": "<bos>",
    "eos_token": {"content": "<eos>", "special": True, "__type": "AddedToken"},
    "pad_token": "<pad>",
    "soc_token": "<|channel>",
    "eoc_token": "<channel|>",
}


def byte_level(folder: Path, **config: Any) -> Path:
    """Byte-level BPE of about 320 tokens, whose file puts ``<bos>`` before a text.

    Args:
        folder: made if need be.
        config: entries of ``tokenizer_config.json`` beside ``CONFIG``'s; None leaves one out.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    _train(tokenizer, 320, pre_tokenizers.ByteLevel.alphabet())
    return _write(tokenizer, folder, config)


def byte_fallback(folder: Path, **config: Any) -> Path:
    """As Gemma's: blanks are a letter, characters that it does not know are bytes."""
    tokenizer = Tokenizer(models.BPE(byte_fallback=True, unk_token="<pad>", fuse_unk=True))
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    _train(tokenizer, 420, [], [f"<0x{byte:02X}>" for byte in range(256)])
    return _write(tokenizer, folder, config)


def stripping(folder: Path, **config: Any) -> Path:
    """As Llama's: like ``byte_fallback``, and a blank that begins a text is dropped."""
    byte_fallback(folder, **config)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    tokenizer.decoder = decoders.Sequence(
        [
            decoders.Replace("▁", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def _train(
    tokenizer: Tokenizer, size: int, alphabet: list[str], bytes_: list[str] | None = None
) -> None:
    trainer = BpeTrainer(
        vocab_size=size,
        initial_alphabet=alphabet,
        special_tokens=[*SPECIALS, *(bytes_ or [])],
        show_progress=False,
    )
    tokenizer.train_from_iterator(CORPUS * 4, trainer)


def _write(tokenizer: Tokenizer, folder: Path, config: Mapping[str, Any]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<bos> $A", special_tokens=[("<bos>", tokenizer.token_to_id("<bos>"))]
    )
    data = json.loads(tokenizer.to_str())
    # Bytes were trained in as special tokens, the only way in; they are text.
    data["added_tokens"] = [t for t in data["added_tokens"] if not t["content"].startswith("<0x")]
    (folder / "tokenizer.json").write_text(json.dumps(data), encoding="utf-8")
    kept = {name: value for name, value in {**CONFIG, **config}.items() if value is not None}
    (folder / "tokenizer_config.json").write_text(json.dumps(kept), encoding="utf-8")
    (folder / "chat_template.jinja").write_text(TEMPLATE, encoding="utf-8")
    return folder
