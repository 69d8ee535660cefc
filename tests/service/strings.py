"""The strings of ``WRITER``, and what it writes."""

from pathlib import Path
from tempfile import TemporaryDirectory

from engine.canvas import SamplingParams
from engine.generation import GenerationParams
from engine.text.tokenizer import Tokenizer
from service.texts import TextModel
from tests.engine.text.tokenizers import byte_level

EOS, BEGIN, END = 1, 5, 6
DEFAULTS = GenerationParams(
    sampling=SamplingParams(max_steps=7, t_min=0.3), max_new_tokens=20, eos_token_ids=(EOS, 4)
)


def writer(template: str | None = None) -> TextModel:
    """A model that has all there is; ``template`` is its own if given."""
    with TemporaryDirectory() as folder:
        path = byte_level(Path(folder))
        if template is not None:
            (path / "chat_template.jinja").write_text(template, encoding="utf-8")
        return TextModel.from_folder(path, DEFAULTS)


def tokens_of(model: TextModel, text: str) -> tuple[int, ...]:
    """Tokens without the one that begins a text."""
    assert isinstance(model.tokenizer, Tokenizer)
    return tuple(model.tokenizer.encode(text, add_special_tokens=False))
