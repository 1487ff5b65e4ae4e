"""The work of refresh-prices.sh; runs in a venv that holds litellm."""

import argparse
import datetime
import importlib.metadata
import json
import pathlib
import re
import sys
from decimal import Decimal

TABLE = pathlib.Path("src/cost/prices.json")
SOURCE = "model_prices_and_context_window_backup.json"
# Sources whose figures come out of the package; all others are kept by hand.
REFRESHED = {"ltl", "zai-price"}
# Kept by hand whatever the source: billed in CNY, and the package converts it to USD.
BY_HAND = {"zhipu"}
# What the package calls a provider, where we call it otherwise.
THEIR_NAMES = {"dashscope-intl": "dashscope", "moonshot-intl": "moonshot"}
MODES = {"chat", "responses", "embedding"}
ABOVE = re.compile(r"input_cost_per_token_above_(\d+)k_tokens$")


def number(value):
    """A whole number where it is one, so that 10.0 is written as 10."""
    return int(value) if value == value.to_integral() else float(value)


def price(entry, key):
    """A figure per million tokens, exactly; None where the package has none."""
    value = entry.get(key)
    if value is None:
        return None
    figure = Decimal(value) * 1_000_000
    if figure != round(figure, 6):
        raise SystemExit(f"{key}: {value} has more than six decimals a million tokens")
    return figure


def rates(entry, suffix="", end=""):
    """Figures for calls, a tier (suffix) or batches (end)."""
    found = {
        "input": price(entry, f"input_cost_per_token{suffix}{end}"),
        "cached_input": price(entry, f"cache_read_input_token_cost{suffix}{end}"),
        "output": price(entry, f"output_cost_per_token{suffix}{end}"),
    }
    if not end and entry.get("tier"):
        found["reasoning_output"] = price(entry, "output_cost_per_reasoning_token")
    return {name: number(value) for name, value in found.items() if value is not None}


def share(whole, factor):
    """Batch figures where one discount for all is documented; none for cached input."""
    if factor is None:
        return None
    kept = {name: value for name, value in whole.items() if name != "cached_input"}
    return {name: number(Decimal(str(value)) * factor) for name, value in kept.items()} or None


def batch(entry, whole, factor, is_derived, suffix=""):
    """Listed figures of a batch and how they came about, else derived ones where they were."""
    listed = rates(entry, suffix, "_batches")
    if "input" in listed:
        return listed, "listed"
    derived = share(whole, factor) if is_derived else None
    return derived, "derived" if derived else None


def tiers(entry, factor, is_derived):
    """The tiers with the ways their batch figures came about."""
    found, ways = [], set()
    for step in entry.get("tiered_pricing", []):
        low, high = (None if end is None else int(end) for end in step["range"])
        whole = rates({**step, "tier": True})
        tier = {"input_tokens_range": [low, high], "realtime": whole}
        derived = share(whole, factor) if is_derived else None
        if derived:
            tier["batch"], _ = derived, ways.add("derived")
        found.append(tier)
    for key in sorted(entry, key=len):
        if not (match := ABOVE.match(key)):
            continue
        suffix = f"_above_{match[1]}k_tokens"
        whole = rates(entry, suffix)
        tier = {"input_tokens_above": int(match[1]) * 1000, "realtime": whole}
        figures, way = batch(entry, whole, factor, is_derived, suffix)
        if figures:
            tier["batch"] = figures
            ways.add(way)
        found.append(tier)
    return found, ways


def refreshed(old, entry, provider):
    """The model's entry with the package's figures; what the package does not say stays."""
    factor = provider.get("batch_factor")
    factor = None if factor is None else Decimal(str(factor))
    is_derived = old.get("basis") == "derived" or (not old.get("realtime") and not old.get("tiers"))
    new = {name: old[name] for name in ("provider", "model", "mode", "currency") if name in old}
    new["vendor_page"] = entry.get("source") or old.get("vendor_page")
    whole = {} if entry.get("tiered_pricing") else rates(entry)
    steps, ways = tiers(entry, factor, is_derived or old.get("basis") == "listed")
    figures, way = batch(entry, whole, factor, is_derived)
    new["realtime"], new["batch"] = whole or None, figures
    ways |= {way} - {None}
    new["basis"] = "derived" if "derived" in ways else "listed" if ways else None
    new["tiers"] = steps or None
    new["max_input_tokens"] = entry.get("max_input_tokens")
    # Of embeddings the package tells the size of the vector there.
    new["max_output_tokens"] = entry.get("max_output_tokens") if old.get("mode") != "embedding" else None
    new["vision"] = entry.get("supports_vision") or None
    new["rejects_sampling_params"] = entry.get("supports_sampling_params") is False or None
    new["deprecated_on"] = entry.get("deprecation_date")
    kept = ("batch_refusal", "batch_accepted", "note", "confidence")
    new.update({name: old[name] for name in kept if name in old})
    if new["vendor_page"] == provider.get("vendor_page"):
        new["vendor_page"] = None
    return {name: value for name, value in new.items() if value is not None}


def figures_of(model):
    """All figures with their places, for the comparison."""
    found = {}
    for mode in ("realtime", "batch"):
        found |= {f"{mode}.{name}": value for name, value in model.get(mode, {}).items()}
        for tier in model.get("tiers", []):
            place = tier.get("input_tokens_above") or tier["input_tokens_range"]
            for name, value in tier.get(mode, {}).items():
                found[f"{mode}.{name} of {place} {tier.get('output_tokens_range', '')}".strip()] = value
    return found


def written(table):
    """The file's text, one model a line."""
    compact = lambda value: json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    block = lambda entries: ",\n".join(f"{compact(name)}:{compact(value)}" for name, value in entries.items())
    head = {name: table[name] for name in ("schema_version", "as_of", "unit")}
    models = ",\n".join(map(compact, table["models"]))
    return (
        f"{compact(head)[:-1]},\n\"sources\":{{\n{block(table['sources'])}}},\n"
        f"\"providers\":{{\n{block(table['providers'])}}},\n\"models\":[\n{models}]}}\n"
    )


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--new", action="store_true")
    parser.add_argument("--add", action="append", default=[])
    parser.add_argument("--allow", action="append", default=[])
    options = parser.parse_args()
    package = importlib.metadata.distribution("litellm")
    path = next(file for file in package.files if file.name == SOURCE)
    source = json.loads(pathlib.Path(path.locate()).read_text(), parse_float=Decimal)
    table = json.loads(TABLE.read_text())
    today = datetime.date.today().isoformat()
    providers = table["providers"]

    def theirs(provider, model):
        name = THEIR_NAMES.get(provider, provider)
        for key in (model, f"{name}/{model}"):
            if source.get(key, {}).get("litellm_provider") == name:
                return source[key]
        return None

    def is_ours(model):
        source_of = model.get("source", providers[model["provider"]]["source"])
        return source_of in REFRESHED and model["provider"] not in BY_HAND

    added, changed, gone, lost, kept = [], [], [], [], 0
    models = []
    for old in table["models"]:
        name = f"{old['provider']}/{old['model']}"
        if not is_ours(old):
            kept += 1
            models.append(old)
            continue
        entry = theirs(old["provider"], old["model"])
        if entry is None:
            gone.append(name)
            day = old.get("as_of", providers[old["provider"]]["as_of"])
            models.append({**old, "as_of": day})
            continue
        new = refreshed(old, entry, providers[old["provider"]])
        before, after = figures_of(old), figures_of(new)
        for place in sorted(before.keys() | after.keys()):
            was, now = before.get(place), after.get(place)
            if was != now:
                changed.append(f"{name} {place}: {was} -> {now}")
            if place.startswith("batch") and was is not None and now is None and name not in options.allow:
                lost.append(f"{name} {place}: {was}")
        others = {name for name in old.keys() | new.keys() if old.get(name) != new.get(name)}
        for place in sorted(others - {"realtime", "batch", "tiers"}):
            changed.append(f"{name} {place}: {old.get(place)} -> {new.get(place)}")
        models.append(new)
    for name in options.add:
        provider, model = name.split("/", 1)
        entry = theirs(provider, model)
        if entry is None or entry.get("mode") not in MODES:
            raise SystemExit(f"{name} is not in the package")
        start = {"provider": provider, "model": model}
        if entry["mode"] != "chat":
            start["mode"] = entry["mode"]
        models.append(refreshed(start, entry, providers[provider]))
        added.append(name)
    models.sort(key=lambda model: (model["provider"], model["model"]))

    ours = {(model["provider"], model["model"]) for model in models}
    fresh = []
    for provider, about in providers.items():
        name = THEIR_NAMES.get(provider, provider)
        for key, entry in source.items():
            model = key.removeprefix(f"{name}/")
            is_one = entry.get("litellm_provider") == name and entry.get("mode") in MODES
            if is_one and about["source"] in REFRESHED and (provider, model) not in ours:
                fresh.append(f"{provider}/{model}")

    print(f"litellm {package.version}: {len(models)} entries, {kept} kept by hand")
    for title, names in (("added", added), ("changed", changed), ("gone", gone), ("batch price lost", lost)):
        print(f"{title}: {len(names)}")
        for name in names:
            print(f"  {name}")
    print(f"not carried: {len(fresh)}" + ("" if options.new else " (--new lists them)"))
    for name in fresh if options.new else []:
        print(f"  {name}")
    if lost:
        sys.exit("a batch price would get lost: look at the vendor's page, then --allow PROVIDER/MODEL; nothing written")
    title = f"litellm {package.version} (Python package), bundled file {SOURCE}"
    if table["sources"]["ltl"]["title"] == title and not added and not changed:
        print("the release that the list is made from: its day stays, nothing written")
        return
    table["models"], table["as_of"] = models, today
    for about in providers.values():
        if about["source"] in REFRESHED:
            about["as_of"] = today
    table["sources"]["ltl"] |= {"title": title, "retrieved": today}
    table["sources"]["zai-price"]["retrieved"] = today
    zai = table["sources"]["zai-price"]
    zai["title"] = re.sub(r"litellm [0-9.]+$", f"litellm {package.version}", zai["title"])
    if options.check:
        print("checked; nothing written")
    else:
        TABLE.write_text(written(table))
        print(f"written to {TABLE}; as of {today}")


main()
