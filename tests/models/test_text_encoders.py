"""Frozen text encoders: what they give, what they are told apart by, and that they are kept."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers as hf
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing

from surefoot.errors import CheckpointError, ModelError, UnknownName
from surefoot.models.load import load
from surefoot.models.sentence import SentenceText, pool
from surefoot.models.text_encoders import RandomText, text_encoder
from surefoot.models.texts import Embeddings, TextEncoder, embed_texts, text_key

WORDS = ("a", "the", "cat", "dog", "on", "mat", "runs", "fast", "big", "icon", "of", "photo")
TEXTS = ["a cat", "the dog runs fast on the mat", "", "unknownword", " a cat ", "big " * 30]
MODULES = ("Transformer", "Pooling", "Normalize")


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    level = hf.utils.logging.get_verbosity()
    hf.utils.logging.set_verbosity_error()
    yield
    hf.utils.logging.set_verbosity(level)


@pytest.fixture(scope="module")
def transformer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of two layers with a tokenizer of words, as ``save_pretrained`` writes them."""
    folder = tmp_path_factory.mktemp("bert")
    special = {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3}
    raw = Tokenizer(WordLevel({**special, **{w: i + 4 for i, w in enumerate(WORDS)}}, "[UNK]"))
    raw.pre_tokenizer = Whitespace()
    raw.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    hf.PreTrainedTokenizerFast(
        tokenizer_object=raw, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]",
        sep_token="[SEP]", model_max_length=20,
    ).save_pretrained(folder)  # fmt: skip
    config = hf.BertConfig(
        vocab_size=32, hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=32, max_position_embeddings=24,
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = hf.BertModel(config)
        for parameter in model.parameters():
            parameter.data.add_(0.1 * torch.randn(parameter.shape))
    model.save_pretrained(folder)
    return folder


def sentence_folder(
    transformer: Path,
    folder: Path,
    pooling: dict[str, Any] | None = None,
    *,
    modules: Sequence[str] = MODULES,
    settings: dict[str, Any] | None = None,
) -> Path:
    shutil.copytree(transformer, folder)
    place = {"Transformer": "", "Pooling": "1_Pooling", "Normalize": "2_Normalize"}
    listed = [
        {"idx": i, "name": str(i), "path": place.get(kind, f"{i}_{kind}"),
         "type": f"sentence_transformers.models.{kind}"}
        for i, kind in enumerate(modules)
    ]  # fmt: skip
    (folder / "modules.json").write_text(json.dumps(listed))
    (folder / "1_Pooling").mkdir()
    given = {"word_embedding_dimension": 16, **(pooling or {"pooling_mode_mean_tokens": True})}
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(given))
    (folder / "sentence_bert_config.json").write_text(
        json.dumps(settings or {"max_seq_length": 16, "do_lower_case": False})
    )
    return folder


def one_by_one(folder: Path, texts: Sequence[str], kind: str, longest: int) -> np.ndarray:
    """The slow reference: each text alone, without padding."""
    tokenizer = hf.AutoTokenizer.from_pretrained(folder)
    model = hf.AutoModel.from_pretrained(folder).eval()
    rows = []
    for text in texts:
        ids = tokenizer(text.strip(), truncation=True, max_length=longest)["input_ids"]
        with torch.no_grad():
            hidden = model(input_ids=torch.tensor([ids])).last_hidden_state[0]
        vector = hidden[0] if kind == "cls" else hidden.mean(dim=0)
        rows.append((vector / vector.norm()).numpy())
    return np.stack(rows)


POOLINGS = {
    "mean": {"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": False},
    "cls": {"pooling_mode_mean_tokens": False, "pooling_mode_cls_token": True},
    "mean, said anew": {"pooling_mode": "mean"},
    "cls, said anew": {"pooling_mode": ["cls"]},
}


@pytest.mark.parametrize("said", POOLINGS)
def test_a_sentence_folder_gives_what_its_files_say(
    said: str, transformer: Path, tmp_path: Path
) -> None:
    folder = sentence_folder(transformer, tmp_path / "st", POOLINGS[said])
    encoder = text_encoder(f"sentence:{folder}")
    found = encoder.encode(TEXTS, batch_size=4)
    expected = one_by_one(transformer, TEXTS, said[:4].strip(" ,"), 16)
    np.testing.assert_allclose(found, expected, atol=2e-6)
    assert found.dtype == np.float32
    assert encoder.dim == 16
    assert not encoder.saw_images
    assert "text only" in encoder.note()


def test_a_sentence_folder_agrees_with_its_own_package(transformer: Path, tmp_path: Path) -> None:
    peer = pytest.importorskip("sentence_transformers")
    folder = sentence_folder(transformer, tmp_path / "st")
    theirs = peer.SentenceTransformer(str(folder), device="cpu").encode(TEXTS)
    np.testing.assert_allclose(SentenceText(folder).encode(TEXTS), theirs, atol=2e-6)


def test_a_plain_transformers_folder_is_pooled_by_the_mean(transformer: Path) -> None:
    encoder = SentenceText(transformer)
    assert encoder.pooling == "mean"
    assert encoder.max_length == 20  # the tokenizer's, below the 24 positions
    np.testing.assert_allclose(
        encoder.encode(TEXTS), one_by_one(transformer, TEXTS, "mean", 20), atol=2e-6
    )


def test_lower_case_and_a_default_prompt_are_applied(transformer: Path, tmp_path: Path) -> None:
    folder = sentence_folder(
        transformer, tmp_path / "st", settings={"max_seq_length": 16, "do_lower_case": True}
    )
    prompts = {"prompts": {"short": "photo of "}, "default_prompt_name": "short"}
    (folder / "config_sentence_transformers.json").write_text(json.dumps(prompts))
    found = SentenceText(folder).encode(["A Cat"])
    expected = one_by_one(transformer, ["photo of a cat"], "mean", 16)
    np.testing.assert_allclose(found, expected, atol=2e-6)


@settings(deadline=None)
@given(left=st.integers(0, 3), tokens=st.integers(1, 4), right=st.integers(0, 3))
def test_padding_on_either_side_is_not_pooled(left: int, tokens: int, right: int) -> None:
    generator = torch.Generator().manual_seed(left + 10 * tokens + 100 * right)
    hidden = torch.randn(1, left + tokens + right, 5, generator=generator)
    mask = torch.tensor([[0] * left + [1] * tokens + [0] * right])
    own = hidden[0, left : left + tokens]
    torch.testing.assert_close(pool(hidden, mask, "mean")[0], own.mean(dim=0))
    torch.testing.assert_close(pool(hidden, mask, "cls")[0], own[0])


def test_what_a_folder_has_beyond_that_is_refused_by_name(
    transformer: Path, tmp_path: Path
) -> None:
    dense = sentence_folder(
        transformer, tmp_path / "a", modules=("Transformer", "Pooling", "Dense")
    )
    with pytest.raises(ModelError, match="a module 'Dense', which is not read"):
        SentenceText(dense)
    most = sentence_folder(transformer, tmp_path / "b", {"pooling_mode_max_tokens": True})
    with pytest.raises(ModelError, match="the pooling max is not read"):
        SentenceText(most)
    both = {"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": True}
    with pytest.raises(ModelError, match=r"the pooling cls \+ mean is not read"):
        SentenceText(sentence_folder(transformer, tmp_path / "c", both))


def test_folders_that_are_none_say_so(transformer: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="there is no folder"):
        text_encoder(f"sentence:{tmp_path / 'nowhere'}")
    (tmp_path / "empty").mkdir()
    with pytest.raises(CheckpointError, match="holds no model"):
        text_encoder(f"sentence:{tmp_path / 'empty'}")
    torn = sentence_folder(transformer, tmp_path / "torn")
    (torn / "modules.json").write_text("[{")
    with pytest.raises(CheckpointError, match=r"modules\.json is not JSON"):
        text_encoder(f"sentence:{torn}")
    away = sentence_folder(transformer, tmp_path / "away")
    listed = (away / "modules.json").read_text()
    (away / "modules.json").write_text(listed.replace("1_Pooling", "../torn/1_Pooling"))
    with pytest.raises(CheckpointError, match="lies outside"):
        text_encoder(f"sentence:{away}")
    bare = sentence_folder(transformer, tmp_path / "bare")
    (bare / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match="cannot be read"):
        text_encoder(f"sentence:{bare}")


def test_a_fingerprint_tells_weights_and_pooling_apart(transformer: Path, tmp_path: Path) -> None:
    same = [SentenceText(sentence_folder(transformer, tmp_path / n)) for n in ("a", "b")]
    assert same[0].fingerprint() == same[1].fingerprint()
    cls = SentenceText(sentence_folder(transformer, tmp_path / "c", POOLINGS["cls"]))
    short = sentence_folder(transformer, tmp_path / "d", settings={"max_seq_length": 5})
    moved = sentence_folder(transformer, tmp_path / "e")
    model = hf.AutoModel.from_pretrained(moved)
    with torch.no_grad():
        model.embeddings.word_embeddings.weight[5, 0] += 1e-3
    model.save_pretrained(moved)
    others = [cls, SentenceText(short), SentenceText(moved)]
    assert len({e.fingerprint() for e in (same[0], *others)}) == 4


def test_a_text_tower_is_the_models_own_and_is_flagged() -> None:
    model = load("tiny-clip")
    encoder = text_encoder("tiny-clip")
    expected = model.require_text("the test").encode(["a cat", "dog"]).numpy()
    np.testing.assert_allclose(encoder.encode(["a cat", "dog"]), expected, atol=1e-6)
    assert encoder.saw_images
    assert encoder.name == "tiny-clip"
    assert "text_saw_images" in encoder.note()
    assert encoder.encode([]).shape == (0, encoder.dim)


def test_an_encoder_without_text_cannot_be_asked() -> None:
    with pytest.raises(ModelError, match="tiny-dino has no text tower"):
        text_encoder("tiny-dino")
    with pytest.raises(UnknownName, match="tiny-clip"):
        text_encoder("tiny-clop")
    with pytest.raises(ModelError, match="how wide"):
        text_encoder("random:wide")


@settings(deadline=None)
@given(st.lists(st.text(max_size=8), min_size=1, max_size=6), st.integers(0, 9))
def test_a_random_vector_belongs_to_its_text_alone(texts: list[str], seed: int) -> None:
    encoder = RandomText(12, seed=seed)
    found = encoder.encode(texts)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, rtol=1e-5)
    for row, text in enumerate(texts):
        assert np.array_equal(found[row], encoder.encode([text])[0])
        assert not np.allclose(found[row], RandomText(12, seed=seed + 1).encode([text])[0])
    for i, j in np.ndindex(len(texts), len(texts)):
        assert np.array_equal(found[i], found[j]) == (texts[i] == texts[j])


def test_random_vectors_are_uniform_on_the_sphere() -> None:
    found = text_encoder("random:64:3").encode([f"text {i}" for i in range(400)])
    cosines = found @ found.T - np.eye(400)
    assert np.abs(cosines).max() < 0.7
    assert abs(cosines.sum() / (400 * 399)) < 0.01
    assert text_encoder("random:64:3").fingerprint() == RandomText(64, seed=3).fingerprint()


class Counting(TextEncoder):
    """Says how often it was asked."""

    name, dim, saw_images = "counting", 2, False

    def __init__(self, mark: str = "a") -> None:
        self.mark = mark
        self.asked: list[str] = []

    def encode(self, texts: Sequence[str], **options: Any) -> Embeddings:
        self.asked += texts
        return np.array([[len(t), 1.0] for t in texts], dtype=np.float32)

    def fingerprint(self) -> str:
        return self.mark


def test_each_distinct_text_is_encoded_once_and_kept_by_content(tmp_path: Path) -> None:
    encoder, texts = Counting(), ["aa", "b", "aa", "b", "ccc"]
    first = embed_texts(encoder, texts, cache_dir=tmp_path)
    assert encoder.asked == ["aa", "b", "ccc"]
    assert first[:, 0].tolist() == [2, 1, 2, 1, 3]
    assert np.array_equal(embed_texts(Counting(), texts, cache_dir=tmp_path), first)
    again = Counting()
    embed_texts(again, texts, cache_dir=tmp_path)
    assert again.asked == []
    other = Counting("b")  # other weights
    embed_texts(other, texts, cache_dir=tmp_path)
    assert other.asked
    changed = Counting()
    embed_texts(changed, [*texts, "d"], cache_dir=tmp_path)
    assert changed.asked
    assert len(list(tmp_path.glob("text-*.npy"))) == 3
    assert not list(tmp_path.glob("*.part"))


def test_a_spoilt_cache_file_is_made_again(tmp_path: Path) -> None:
    texts = ["a", "bb"]
    whole = embed_texts(Counting(), texts, cache_dir=tmp_path)
    (file,) = tmp_path.glob("text-*.npy")
    file.write_bytes(file.read_bytes()[:-3])
    again = Counting()
    assert np.array_equal(embed_texts(again, texts, cache_dir=tmp_path), whole)
    assert again.asked == texts


def test_a_key_knows_where_texts_end() -> None:
    encoder = Counting()
    keys = {text_key(encoder, texts) for texts in (["ab", "c"], ["a", "bc"], ["abc"], ["c", "ab"])}
    assert len(keys) == 4


def test_a_misspelt_scheme_is_told_what_text_encoders_there_are() -> None:
    with pytest.raises(UnknownName) as caught:
        text_encoder("sentense:all-MiniLM-L6-v2")
    assert "sentence:FOLDER, random:DIM" in str(caught.value)
