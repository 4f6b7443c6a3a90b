"""A dataset, a model, a backend and a reporter for benchspec."""

import csv
from pathlib import Path

from benchspec import Backend, Dataset, Model, Reporter, Row, hookimpl


class CsvRows(Dataset):
    """Rows of a CSV file with the columns instruction, input and output."""

    name = "csv-rows"
    options_schema = {
        "properties": {"path": {"type": "string", "format": "path", "description": "the CSV file"}},
        "required": ["path"],
    }

    def rows(self):
        with Path(self.options["path"]).open(newline="") as file:
            return [Row(r["instruction"], r["input"], r["output"]) for r in csv.DictReader(file)]


class Gpt2(Model):
    """GPT-2 with random weights, which reads bytes."""

    name = "gpt2"
    options_schema = {
        "properties": {
            "layers": {"type": "integer", "minimum": 1, "default": 12, "description": "blocks"},
            "hidden": {"type": "integer", "minimum": 64, "default": 768, "description": "width"},
        }
    }
    presets = {"gpt2-mini": {"layers": 2, "hidden": 64}}
    blocks = ("GPT2Block",)

    def tokenizer(self):
        from tokenizers import Tokenizer, decoders, models, pre_tokenizers
        from transformers import PreTrainedTokenizerFast

        alphabet = {symbol: index for index, symbol in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
        raw = Tokenizer(models.BPE(vocab=alphabet, merges=[]))
        raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        raw.decoder = decoders.ByteLevel()
        return PreTrainedTokenizerFast(tokenizer_object=raw, eos_token="<eos>", pad_token="<pad>")

    def build(self):
        from transformers import GPT2Config, GPT2LMHeadModel

        return GPT2LMHeadModel(
            GPT2Config(
                vocab_size=320,
                n_layer=self.options["layers"],
                n_embd=self.options["hidden"],
                n_head=self.options["hidden"] // 32,
                use_cache=False,
            )
        )


class SmallBuckets(Backend):
    """DDP that sends its gradients in small buckets."""

    name = "ddp-small-buckets"
    options_schema = {
        "properties": {"megabytes": {"type": "integer", "minimum": 1, "default": 1, "description": "a bucket's size"}}
    }

    def arguments(self):
        return {"ddp_bucket_cap_mb": self.options["megabytes"], "ddp_find_unused_parameters": False}

    def prove(self, model):
        from torch.nn.parallel import DistributedDataParallel

        if not isinstance(model, DistributedDataParallel):
            raise RuntimeError(f"the model is a {type(model).__name__}, not spread by DDP")
        return {"sharding": "none", "bucket_bytes": model.bucket_bytes_cap}


class OneLiners(Reporter):
    """A line a case, for a chat channel."""

    name = "one-liners"
    suffix = ".log"

    def render(self, results):
        return "\n".join(f"{r.case}: {r.outcome}, {r.metrics.get('rows_per_second', 0):.1f} rows/s" for r in results)


@hookimpl
def benchspec_register():
    return [CsvRows, Gpt2, SmallBuckets, OneLiners]
