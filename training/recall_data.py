"""Seeded conversations that ask about facts strewn in prose, as token ids with what the trainer needs to know about them.
The words and phrasings are those of data/recall_task.json, which the engine's own evaluation reads too."""

import json
import os

import numpy as np

BOS, EOS = 0, 1
USER, ASSISTANT, ANSWER = "<\uff5cUser\uff5c>", "<\uff5cAssistant\uff5c>", "</think>"
TASK = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "data", "recall_task.json")
WEIGHT_VALUE, WEIGHT_FRAME, WEIGHT_FACT = 4.0, 1.5, 0.2
LONG_RUN_TOKENS = (200, 900)
LONELY_PROSE_TOKENS, ASK_FROM_SHARE = 30, 0.75


class Task:
    """The tables, tokenized. A phrase is a list of token arrays and of the slots between them."""

    def __init__(self, tokenizer):
        with open(TASK, encoding="utf-8") as f:
            raw = json.load(f)
        self.encode_cache = {}
        self.tokenizer = tokenizer
        self.first_names, self.last_names = raw["first_names"], raw["last_names"]
        self.kinds = raw["kinds"]
        self.answer = self.phrase(raw["answer"], "")
        self.absent = self.ids(raw["absent_answer"])
        # Where an answer's value would be, up to the full stop.
        lead = len(self.ids(raw["answer"].partition("{")[0].rstrip()))
        self.absent_span = (lead, len(self.absent) - 1)
        for kind in self.kinds:
            for field in ("facts", "updates"):
                kind[field] = [self.phrase(p, " ") for p in kind[field]]
            kind["asked_first"] = [self.phrase(p, "") for p in kind["questions"]]

    def ids(self, text):
        if text not in self.encode_cache:
            self.encode_cache[text] = self.tokenizer.encode(text, add_special_tokens=False).ids
        return self.encode_cache[text]

    def phrase(self, text, lead):
        """Splits at the slots; the space before a slot belongs to it."""
        parts, rest = [], lead + text
        while "{" in rest:
            before, _, rest = rest.partition("{")
            slot, _, rest = rest.partition("}")
            spaced = before.endswith(" ")
            before = before[:-1] if spaced else before
            if before:
                parts.append(("text", before))
            parts.append((slot, " " if spaced else ""))
        if rest:
            parts.append(("text", rest))
        return parts

    def fill(self, phrase, person, thing, value):
        """Token ids, and the span of each slot."""
        ids, spans = [], {}
        for slot, text in phrase:
            if slot == "text":
                ids += self.ids(text)
                continue
            begin = len(ids)
            ids += self.ids(text + {"person": person, "object": thing, "value": value}[slot])
            spans[slot] = (begin, len(ids))
        return ids, spans

    def value(self, rng, kind):
        if "values" in kind:
            return kind["values"][rng.integers(len(kind["values"]))]
        low, high = kind["numbers"]
        letters = kind.get("letters", "")
        letter = letters[rng.integers(len(letters))] if letters else ""
        return f"{letter}{rng.integers(low, high + 1)}"


class Prose:
    """Runs of whole sentences out of encoded texts."""

    def __init__(self, tokenizer, arrays):
        self.arrays = arrays
        self.weights = np.array([len(a) for a in arrays], dtype=np.float64)
        self.weights /= self.weights.sum()
        vocab = tokenizer.get_vocab()
        spaced = np.zeros(len(vocab), dtype=bool)
        for token, i in vocab.items():
            spaced[i] = token.startswith("\u0120")
        self.starts = []
        for a in arrays:
            ends = np.flatnonzero((a[:-1] == vocab["."]) & spaced[a[1:]])
            self.starts.append(ends + 1)

    def run(self, rng, token_count):
        """Sentences of about token_count tokens."""
        which = rng.choice(len(self.arrays), p=self.weights)
        starts = self.starts[which]
        i = int(rng.integers(0, len(starts) - 2))
        j = int(np.searchsorted(starts, starts[i] + token_count))
        j = min(max(j, i + 1), len(starts) - 1)
        if starts[j] - starts[i] > 3 * token_count + 60:
            return self.run(rng, token_count)
        return self.arrays[which][starts[i] : starts[j]].tolist()


class Fact:
    __slots__ = ("kind", "thing", "person", "value", "at", "spans", "end", "updated", "asked", "form")


class Document:
    """One conversation of exactly `count` tokens and its targets."""

    def __init__(self, task, prose, rng, count, fact_count_max, prose_tokens, absent_share, update_share, long_run_share):
        self.task, self.prose, self.rng = task, prose, rng
        self.ids, self.weights, self.probes = [BOS], [0.0], []
        self.facts, self.in_user, self.has_text = [], False, False
        self.count, self.absent_share, self.update_share = count, absent_share, update_share
        self.long_run_share = long_run_share
        # Few names, so that many facts differ in one word only.
        first, last = (self.some_names(names, fact_count_max) for names in (task.first_names, task.last_names))
        self.persons = [f"{a} {b}" for a in first for b in last]
        things = [(kind, o) for kind in task.kinds for o in kind["objects"]]
        size = 4 + int(rng.integers(0, len(things) - 3))
        self.things = [things[i] for i in rng.permutation(len(things))[:size]]
        self.stated = {}
        self.build(fact_count_max, prose_tokens)

    def some_names(self, names, fact_count_max):
        size = 3 + int(self.rng.integers(0, 2 + fact_count_max // 6))
        return self.rng.choice(names, size=min(len(names), size), replace=False)

    def add(self, ids, weight):
        self.ids += ids
        self.weights += [weight] * len(ids)

    def open_user(self):
        if not self.in_user:
            self.add(self.task.ids(USER), WEIGHT_FRAME)
            self.in_user, self.has_text = True, False

    def add_prose(self, mean_tokens):
        """Mostly a short run; now and then so long a one that the window forgets what the conversation was about."""
        self.open_user()
        left = max(8, int(self.rng.exponential(mean_tokens)))
        if self.rng.random() < self.long_run_share:
            left = int(self.rng.integers(*LONG_RUN_TOKENS))
        while left > 0:
            run = self.prose.run(self.rng, left)
            self.add(run, 1.0)
            left -= len(run)
        self.has_text = True

    def state_fact(self, fact, phrases):
        self.open_user()
        form = int(self.rng.integers(len(phrases)))
        ids, spans = self.task.fill(phrases[form], fact.person, fact.thing, fact.value)
        fact.at, fact.spans, fact.end = len(self.ids), spans, len(self.ids) + len(ids)
        fact.asked, fact.form = False, form
        self.add(ids, WEIGHT_FACT)
        self.has_text = True

    def add_fact(self):
        kind, thing = self.things[self.rng.integers(len(self.things))]
        person = self.persons[self.rng.integers(len(self.persons))]
        if (person, thing) in self.stated:
            return
        fact = Fact()
        fact.kind, fact.thing, fact.person, fact.updated = kind, thing, person, False
        fact.value = self.task.value(self.rng, kind)
        self.stated[person, thing] = fact
        self.facts.append(fact)
        self.state_fact(fact, kind["facts"])

    def update_fact(self):
        old = [f for f in self.facts if not f.asked and not f.updated]
        if not old:
            return
        fact = old[self.rng.integers(len(old))]
        value = fact.value
        while value == fact.value:
            value = self.task.value(self.rng, fact.kind)
        fact.value, fact.updated = value, True
        self.state_fact(fact, fact.kind["updates"])

    def ask(self):
        open_facts = [f for f in self.facts if not f.asked]
        if not open_facts:
            return
        if self.rng.random() < self.absent_share:
            return self.ask_absent()
        # Mostly about what has left the raw window.
        far = [f for f in open_facts if len(self.ids) - f.end > 128]
        pool = far if far and self.rng.random() < 0.9 else open_facts
        fact = pool[self.rng.integers(len(pool))]
        fact.asked = True
        self.question(fact.kind, fact.thing, fact.person)
        ids, spans = self.task.fill(self.task.answer, "", "", fact.value)
        self.answer(ids, spans["value"], fact)

    def ask_absent(self):
        for _ in range(10):
            kind, thing = self.things[self.rng.integers(len(self.things))]
            person = self.persons[self.rng.integers(len(self.persons))]
            if (person, thing) not in self.stated:
                self.question(kind, thing, person)
                return self.answer(self.task.absent, self.task.absent_span, None)

    def question(self, kind, thing, person):
        """In a turn of its own, or after the passage of this turn and a blank line."""
        if self.in_user and self.has_text:
            if self.ids[-1] == self.task.ids(".")[0]:
                self.ids[-1] = self.task.ids(".\n\n")[0]
            else:
                self.in_user = False
        self.open_user()
        phrases = kind["asked_first"]
        ids, _ = self.task.fill(phrases[self.rng.integers(len(phrases))], person, thing, "")
        self.add(ids, WEIGHT_FACT)
        self.add(self.task.ids(ASSISTANT) + self.task.ids(ANSWER), WEIGHT_FACT)

    def answer(self, ids, span, fact):
        begin = len(self.ids)
        self.add(ids + [EOS], WEIGHT_FRAME)
        for k in range(*span):
            self.weights[begin + k] = WEIGHT_VALUE
        # The token at begin + k - 1 predicts value token k: it must find the fact.
        for k in range(*span):
            query = begin + k - 1
            if fact is None:
                self.probes.append((query, -1, -1, 0))
                continue
            key_end = fact.at + max(fact.spans["person"][1], fact.spans["object"][1]) - 1
            value_at = fact.at + fact.spans["value"][0] + (k - span[0])
            low = max(key_end, value_at)
            kind = 1 + fact.form + (3 if fact.updated else 0)
            self.probes.append((query, low, max(low, fact.end - 1), kind))
        self.in_user = False

    def build(self, fact_count_max, prose_tokens):
        """prose_tokens: mean tokens of a run of prose. Where runs are long, facts stand alone and most questions come last."""
        rng, lonely = self.rng, prose_tokens > LONELY_PROSE_TOKENS
        group_max, ask_share = (1, 0.05) if lonely else (3, 0.25)
        while len(self.ids) < self.count:
            open_count = sum(not f.asked for f in self.facts)
            asking = lonely and len(self.ids) > ASK_FROM_SHARE * self.count
            if not asking or open_count == 0 or rng.random() < 0.1:
                if rng.random() < 0.5 or asking:
                    self.add_prose(prose_tokens)
                if open_count < fact_count_max and rng.random() < 0.5:
                    self.add_facts(int(rng.integers(1, group_max + 1)))
            if asking or open_count >= fact_count_max // 2 or (self.facts and rng.random() < ask_share):
                for _ in range(int(rng.integers(1, 4))):
                    self.ask()
        del self.ids[self.count :], self.weights[self.count :]

    def add_facts(self, count):
        for _ in range(count):
            if self.rng.random() < self.update_share:
                self.update_fact()
            else:
                self.add_fact()


def span_rows(low, high):
    """Ratio-4 rows that pool a token of low..high: row i pools tokens 4i-4 .. 4i+3."""
    return low // 4, high // 4 + 1

