"""
The part of a recipe that trains: the same order, rates and seeds as `training`, in plain PyTorch.
"""

from __future__ import annotations

from playground.adapt.adapters import Record
from playground.locales import text

LOOP = """\
def batches(examples):
    order, shuffle = list(examples), random.Random(SEED).shuffle
    while True:
        shuffle(order)
        for start in range(0, len(order), BATCH):
            yield order[start : start + BATCH]


def rate(step):
    warmup = max(1, round(0.1 * STEPS))
    if step <= warmup:
        return RATE * step / warmup
    return RATE * 0.5 * (1 + math.cos(math.pi * (step - warmup) / (STEPS - warmup + 1)))


def padded(lists, filler):
    longest = max(map(len, lists))
    return torch.tensor([one + [filler] * (longest - len(one)) for one in lists], device=device)


trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
optimizer = torch.optim.AdamW(trained, lr=RATE, weight_decay=0.0)
losses = []
model.train()
for step, batch in zip(range(1, DONE + 1), batches([encode(*row) for row in rows])):
    ids, labels = padded([ids for ids, _ in batch], tokenizer.pad_token_id), padded([labels for _, labels in batch], -100)
    mask = padded([[1] * len(ids) for ids, _ in batch], 0)
    torch.manual_seed(SEED * 100_003 + step)
    loss = model(input_ids=ids, attention_mask=mask, labels=labels).loss
    loss.backward()
    torch.nn.utils.clip_grad_norm_(trained, 1.0)
    for group in optimizer.param_groups:
        group["lr"] = rate(step) * group.get("times", 1)
    optimizer.step()
    optimizer.zero_grad()
    losses.append(loss.item())
    print(f"step {step} of {DONE}: loss {losses[-1]:.6f}", flush=True)
"""
# LoRA+ (Hayou et al. 2024): B learns faster than A
PLUS = """\
optimizer = create_loraplus_optimizer(model=model, optimizer_cls=torch.optim.AdamW, lr=RATE, loraplus_lr_ratio={ratio})
for group in optimizer.param_groups:
    group["times"] = group["lr"] / RATE
"""
# AdaLoRA (Zhang et al. 2023): as `allocation`, with the loss that is printed as the page shows it
PENALTY = """\
# {said}
def penalty():
    named = [(name, one) for name, one in model.named_parameters() if "lora_A" in name or "lora_B" in name]
    factors = [one if "lora_A" in name else one.T for name, one in named]
    apart = [torch.linalg.norm(one @ one.T - torch.eye(len(one), device=device)) for one in factors]
    return config.orth_reg_weight * torch.stack(apart).mean()


"""
ALLOCATED = {
    "loss = model(": "loss = model.get_base_model()(",
    "    loss.backward()\n": "    (loss + penalty()).backward()\n",
    "    optimizer.step()\n": "    optimizer.step()\n    model.base_model.update_and_allocate(step)\n",
    "trained = [": PENALTY + "trained = [",
}


def loop_of(record: Record, language: str) -> str:
    """The training; its optimizer has two rates for LoRA+, and AdaLoRA has a part of its own in every step."""
    loop, ratio = LOOP, record.hyperparameters.get("rate_ratio", 1.0)
    if ratio != 1:
        plain = next(line for line in LOOP.splitlines(keepends=True) if line.startswith("optimizer ="))
        loop = loop.replace(plain, PLUS.format(ratio=ratio))
    if record.method == "adalora":
        for plain, allocated in ALLOCATED.items():
            loop = loop.replace(plain, allocated.replace("{said}", text(language, "recipe.penalty")))
    return loop
