"""What stands between strings and the tokens of a text model.

The engine knows tokens alone. A checkpoint's tokenizer, its chat template and its way to generate
stay here, by the model's name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import MappingProxyType

from engine.generation import GenerationParams
from engine.text.answer import Answer
from engine.text.chat_template import ChatTemplate, ChatTemplateError
from engine.text.message import ChatMessage
from engine.text.text_stream import Pieces
from engine.text.tokenizer import Tokenizer

#: Of a prompt, or of all messages of a conversation together.
MAX_PROMPT_CHARACTERS = 2**20
MAX_MESSAGES = 1024
#: Of a conversation that is written down.
MAX_CONVERSATION_CHARACTERS = 2 * MAX_PROMPT_CHARACTERS


@dataclass(frozen=True, eq=False)
class TextModel:
    """A model's strings.

    Attributes:
        tokenizer: None where the checkpoint came without.
        template: of conversations; None where the checkpoint came without.
        defaults: how it generates unasked.
    """

    tokenizer: Tokenizer | None = None
    template: ChatTemplate | None = None
    defaults: GenerationParams = field(default_factory=GenerationParams)

    @classmethod
    def from_folder(cls, folder: Path, defaults: GenerationParams) -> TextModel:
        """Read what a checkpoint has.

        Raises:
            TokenizerError: a file is damaged.
        """
        tokenizer = Tokenizer.from_folder(folder)
        if tokenizer is None:
            return cls(defaults=defaults)
        return cls(tokenizer, ChatTemplate.from_folder(folder, tokenizer.names), defaults)

    def answer(self, prompt: Sequence[int] = ()) -> Answer | None:
        """An answer to a prompt, to be read token by token; None without a tokenizer.

        Those of one model belong to one event loop.
        """
        if self.tokenizer is None or self._pieces is None:
            return None
        return Answer(self.tokenizer, self._pieces, prompt)

    @cached_property
    def _pieces(self) -> Pieces | None:
        return None if self.tokenizer is None else Pieces(self.tokenizer)


#: Models by name; one that is not there is like a ``TextModel`` of defaults.
TextModels = Mapping[str, TextModel]
NO_TEXTS: TextModels = MappingProxyType({})


def encode_conversation(
    tokenizer: Tokenizer,
    template: ChatTemplate,
    messages: Sequence[ChatMessage],
    think: bool | None,
) -> list[int]:
    """The tokens of a conversation. May take a second.

    Raises:
        ChatTemplateError: the template refuses the messages, fails, or writes far more than they
            say.
    """
    asked = {} if think is None else {"enable_thinking": think}
    text = template.render(messages, **asked)
    if len(text) > MAX_CONVERSATION_CHARACTERS:
        raise ChatTemplateError(
            f"wrote {len(text)} characters, accepted: at most {MAX_CONVERSATION_CHARACTERS}"
        )
    return tokenizer.encode(text, add_special_tokens=False)
