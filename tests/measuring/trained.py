"""A bare Trainer script, as a user would write it, measured by two lines."""

import sys

import torch
from transformers import OPTConfig, OPTForCausalLM, Trainer, TrainingArguments

from benchspec.trainer import Measure


class Rows(torch.utils.data.Dataset):
    def __init__(self, count):
        self.rows = torch.randint(3, 60, (count, 12), generator=torch.Generator().manual_seed(1))

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, index):
        return {"input_ids": self.rows[index], "labels": self.rows[index]}


def trainer_of(folder, rows, **settings):
    torch.manual_seed(0)
    shape = {"hidden_size": 16, "ffn_dim": 32, "word_embed_proj_dim": 16, "num_hidden_layers": 2}
    model = OPTForCausalLM(OPTConfig(vocab_size=64, num_attention_heads=2, max_position_embeddings=32, **shape))
    usual = {"output_dir": f"{folder}-out", "per_device_train_batch_size": 2, "gradient_accumulation_steps": 2}
    quiet = {"report_to": "none", "disable_tqdm": True, "use_cpu": True, "logging_steps": 1, "save_strategy": "no"}
    args = TrainingArguments(**{**usual, **quiet, "num_train_epochs": 2, "learning_rate": 1e-2, **settings})
    return Trainer(model=model, args=args, train_dataset=Rows(rows), eval_dataset=Rows(4), callbacks=[Measure(folder)])


def main(folder, rows, **settings):
    trainer_of(folder, rows, **settings).train()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
