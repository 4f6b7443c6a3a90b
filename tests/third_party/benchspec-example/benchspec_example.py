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


class Llama(Model):
    """Llama with random weights, which reads bytes."""

    name = "llama"
    options_schema = {
        "properties": {
            "layers": {"type": "integer", "minimum": 1, "default": 12, "description": "decoder blocks"},
            "heads": {"type": "integer", "minimum": 1, "default": 12, "description": "attention heads, 64 wide each"},
        }
    }
    presets = {"llama-mini": {"layers": 2, "heads": 1}}
    blocks = ("LlamaDecoderLayer",)

    def tokenizer(self):
        from tokenizers import Tokenizer, decoders, models, pre_tokenizers
        from transformers import PreTrainedTokenizerFast

        alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
        backend = Tokenizer(models.BPE({symbol: index for index, symbol in enumerate(alphabet)}, merges=[]))
        backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        backend.decoder = decoders.ByteLevel()
        return PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="<eos>", pad_token="<pad>")

    def build(self):
        from transformers import LlamaConfig, LlamaForCausalLM

        tokenizer, hidden = self.tokenizer(), self.options["heads"] * 64
        config = LlamaConfig(
            vocab_size=len(tokenizer),
            num_hidden_layers=self.options["layers"],
            num_attention_heads=self.options["heads"],
            hidden_size=hidden,
            intermediate_size=4 * hidden,
            bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
            use_cache=False,
        )
        return LlamaForCausalLM(config)


class SmallBuckets(Backend):
    """DDP that sends its gradients in small buckets."""

    name = "ddp-small-buckets"
    options_schema = {
        "properties": {"megabytes": {"type": "integer", "minimum": 1, "default": 1, "description": "a bucket's size"}}
    }

    def arguments(self):
        return {"ddp_bucket_cap_mb": self.options["megabytes"], "ddp_find_unused_parameters": False}

    def prove(self, model):
        size = getattr(model, "bucket_bytes_cap", None)
        if size != self.options["megabytes"] * 2**20:
            raise RuntimeError(f"the model is a {type(model).__name__} with buckets of {size} bytes")
        return {"sharding": "none", "bucket_bytes": size}


class OneLiners(Reporter):
    """A line a case, for a chat channel."""

    name = "one-liners"
    suffix = ".log"

    def render(self, results):
        return "".join(f"{result.case}: {result.outcome}, {self.speed(result)}\n" for result in results)

    def speed(self, result):
        rate = result.metrics.get("rows_per_second")
        return f"{rate:.1f} rows/s" if rate else result.reason


@hookimpl
def benchspec_register():
    return [CsvRows, Llama, SmallBuckets, OneLiners]
