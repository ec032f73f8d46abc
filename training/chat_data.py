"""Writes seeded chat conversations: python3 chat_data.py WORK_FOLDER COUNT

One JSON object per line: {"system": text, "turns": [[user, thought or null, answer], ...]}."""

import json
import random
import re
import sys

import chat_facts as facts

SEED = 20240607

SYSTEMS = [
    "You are a helpful assistant.", "You are Kvasir, a small language model.", "You are Kvasir, a helpful assistant.",
    "Be polite and helpful.", "Answer the user's questions.", "You are a friendly assistant who has read many old books.",
    "Answer clearly.", "You are a kind and careful assistant.",
]  # fmt: skip
BRIEF = ["Answer briefly.", "Answer in as few words as you can.", "Give short answers.", "Be brief."]


def capital(text):
    return text[:1].upper() + text[1:]


def loosely(rng, text):
    """People type in many ways: sometimes no capital, sometimes no final mark."""
    if rng.random() < 0.2:
        text = text.lower() if rng.random() < 0.5 else text[:1].lower() + text[1:]
    if rng.random() < 0.2:
        text = text.rstrip(".?!")
    return text


def ask(rng, question):
    """`question` in direct form without a mark: "who wrote Emma"."""
    forms = [
        capital(question) + "?", capital(question) + "?", capital(question) + "?", capital(question) + "?",
        f"Tell me, {question}?", f"Please tell me: {question}?", f"I have a question. {capital(question)}?", f"Do you know? {capital(question)}?",
        f"Hello! {capital(question)}?", f"Quick question: {question}?", f"So, {question}?", f"{capital(question)}, please?",
    ]  # fmt: skip
    return loosely(rng, rng.choice(forms))


def statement(question, answer):
    """A full sentence for the question forms used in the tables, or the bare answer."""
    words = question.split(" ", 2)
    head, rest = " ".join(words[:2]), words[2] if len(words) > 2 else ""
    if question.startswith("who wrote "):
        return f"{answer} wrote {question[10:]}."
    if question.startswith("who does ") and question.endswith(" marry"):
        return f"{question[9:-6]} marries {answer}."
    if question.startswith("where does ") and question.endswith(" live"):
        return f"{capital(question[11:-5])} lives at {answer}."
    if question.startswith("how many days are in a "):
        return f"There are {answer} days in a {question[23:]}."
    match = re.match(r"how many (\w+) are (in|on) (.*)", question)
    if match:
        return f"There are {answer} {match[1]} {match[2]} {match[3]}."
    match = re.match(r"how many (\w+) does (.*) have", question)
    if match:
        return f"{capital(match[2])} has {answer if answer != 'none' else 'no'} {match[1]}."
    match = re.match(r"what color is (.*)", question)
    if match:
        return f"{capital(match[1])} is {answer}."
    if head in ("who is", "who was", "what is") and rest.startswith(("the ", "frozen")):
        verb = head.split()[1]
        return f"{capital(rest)} {verb} {answer}." if not rest.startswith("frozen") else "Frozen water is called ice."
    if re.match(r"(who|what) (built|killed|led|baptized|betrayed|denied|rises|shines|falls|lives)", question):
        return f"{capital(answer)} {question.split(' ', 1)[1]}."
    if question.startswith("what did God create"):
        return "In the beginning God created the heaven and the earth."
    return capital(answer) + "."


def fact(rng):
    kind = rng.random()
    if kind < 0.30:
        question, answer = rng.choice(facts.BOOKS)
    elif kind < 0.52:
        question, answer = rng.choice(facts.BIBLE)
    elif kind < 0.75:
        question, answer = rng.choice(facts.WORLD)
    else:
        country, city = rng.choice(list(facts.CAPITALS.items()))
        question, answer = rng.choice([
            (f"what is the capital of {country}", city), (f"what is the capital city of {country}", city),
            (f"which city is the capital of {country}", city),
        ])  # fmt: skip
        return question, answer, f"The capital of {country} is {city}."
    return question, answer, statement(question, answer)


def word_task(rng):
    kind = rng.randrange(9)
    if kind == 0:
        animal, sound = rng.choice(list(facts.SOUNDS.items()))
        return f"what sound does a {animal} make", sound, f"A {animal} {sound}."
    if kind == 1:
        animal, young = rng.choice(list(facts.YOUNG.items()))
        q = rng.choice([f"what is a young {animal} called", f"what do you call a baby {animal}"])
        return q, young, f"A young {animal} is called a {young}."
    if kind == 2:
        a, b = rng.choice(list(facts.OPPOSITES.items()))
        q = rng.choice([f"what is the opposite of {a}", f"which word is the opposite of {a}"])
        return q, b, f"The opposite of {a} is {b}."
    if kind == 3:
        a, b = rng.choice(list(facts.PLURALS.items()))
        return f"what is the plural of {a}", b, f"The plural of {a} is {b}."
    if kind == 4:
        a, b = rng.choice(list(facts.PASTS.items()))
        return f"what is the past tense of {a}", b, f"The past tense of {a} is {b}."
    if kind == 5:
        i = rng.randrange(7)
        if rng.random() < 0.5:
            return f"which day comes after {facts.DAYS[i]}", facts.DAYS[(i + 1) % 7], f"{facts.DAYS[(i + 1) % 7]} comes after {facts.DAYS[i]}."
        return f"which day comes before {facts.DAYS[i]}", facts.DAYS[i - 1], f"{facts.DAYS[i - 1]} comes before {facts.DAYS[i]}."
    if kind == 6:
        i = rng.randrange(12)
        nxt = facts.MONTHS[(i + 1) % 12]
        return f"which month comes after {facts.MONTHS[i]}", nxt, f"{nxt} comes after {facts.MONTHS[i]}."
    word = rng.choice(facts.WORDS)
    if kind == 7:
        return f"what is the first letter of the word {word}", word[0].upper(), f"The first letter of {word} is {word[0].upper()}."
    return f"how do you spell {word}", "-".join(word.upper()), f"{capital(word)} is spelled " + "-".join(word.upper()) + "."


def arithmetic(rng):
    kind = rng.randrange(3)
    if kind == 0:
        a, b = rng.randrange(0, 21), rng.randrange(0, 21)
        c, sign, name = a + b, "+", "plus"
    elif kind == 1:
        a, b = sorted((rng.randrange(0, 21), rng.randrange(0, 21)), reverse=True)
        c, sign, name = a - b, "-", "minus"
    else:
        a, b = rng.randrange(0, 11), rng.randrange(0, 11)
        c, sign, name = a * b, "x", "times"
    if a <= 20 and b <= 20 and c <= 20 and rng.random() < 0.3:
        n = facts.NUMBERS
        return f"what is {n[a]} {name} {n[b]}", n[c], f"{capital(n[a])} {name} {n[b]} is {n[c]}."
    q = rng.choice([f"what is {a} {sign} {b}", f"what is {a} {name} {b}", f"how much is {a} {name} {b}"])
    return q, str(c), f"{a} {name} {b} is {c}."


def question(rng):
    return rng.choices((fact, word_task, arithmetic), (6, 3, 2))[0](rng)


def question_turn(rng, brief=False):
    q, short, full = question(rng)
    answer = capital(short) if brief else full
    if not brief and rng.random() < 0.12:
        answer += rng.choice([" Is there anything else you would like to know?", " I hope that helps.", " Would you like to know more?"])
    return ask(rng, q), f"The question is {q}. The answer is {short}.", answer


def small_talk(rng):
    pick = rng.choice
    table = [
        (["Hello", "Hello!", "Hi", "Hi!", "Hi there", "Good morning", "Good morning!", "Good evening.", "Good day!", "Hey", "Hello there!", "Greetings", "Hello, Kvasir!"],
         ["Hello! How can I help you today?", "Hello! What would you like to talk about?", "Good day! How may I help you?", "Hello! I am Kvasir. How can I help you?"]),
        (["Who are you?", "What are you?", "What is your name?", "Tell me about yourself.", "Introduce yourself.", "Please introduce yourself", "Are you a person?", "Are you human?", "Are you a robot?", "Who am I talking to?", "What should I call you?", "What's your name?"],
         ["I am Kvasir, a small language model. I have read old books, and I can talk with you a little.", "My name is Kvasir. I am a small language model.", "I am Kvasir, a small language model trained on old books."]),
        (["What can you do?", "How can you help me?", "What are you good at?", "Can you help me?", "What can I ask you?", "Help", "I need help."],
         ["I can answer simple questions, continue a passage, tell you a short story, and remember what you tell me.", "I can talk with you, answer simple questions and tell short stories. Ask me anything!"]),
        (["How are you?", "How are you today?", "How do you do?", "Are you well?", "How is it going?", "How are you doing?"],
         ["I am very well, thank you. How are you?", "I am well, thank you for asking. How can I help you?"]),
        (["Thank you.", "Thanks!", "Thank you very much!", "Thanks a lot", "That was helpful.", "Great, thanks.", "Very good, thank you."],
         ["You are very welcome!", "You are welcome. Is there anything else?", "It was a pleasure."]),
        (["Goodbye.", "Bye!", "Good night.", "See you later.", "Farewell!", "I have to go now.", "Goodbye, Kvasir"],
         ["Goodbye! Come back soon.", "Farewell! It was a pleasure to talk with you.", "Goodbye, and be well."]),
        (["What have you read?", "What books do you know?", "What were you trained on?", "Which books have you read?", "Where does your knowledge come from?"],
         ["I have read the Bible, the novels of Jane Austen and The Devil's Dictionary by Ambrose Bierce.", "I was trained on old books: the Bible, the novels of Jane Austen and The Devil's Dictionary."]),
        (["Can you make mistakes?", "Are you always right?", "Can I trust you?", "Do you know everything?", "How clever are you?"],
         ["I am a small model, and I am often wrong. Please check what I say.", "No. I am very small, and I make many mistakes."]),
        (["Who was Kvasir?", "What does your name mean?", "Where does the name Kvasir come from?", "Why are you called Kvasir?"],
         ["In the old Norse tales, Kvasir was the wisest of all beings. There was no question that he could not answer.", "Kvasir was the wisest being in the old Norse tales. I am only a small model with his name."]),
        (["Do you like books?", "Do you like to read?", "What is your favorite book?", "What do you like to read?"],
         ["I like the novels of Jane Austen very much. Pride and Prejudice is my favorite.", "I am very fond of Pride and Prejudice, by Jane Austen."]),
        (["I am sad.", "I feel sad today.", "I am not happy.", "I had a bad day."],
         ["I am sorry to hear that. Would you like to tell me what happened?", "I am sorry. I hope that tomorrow will be a better day for you."]),
        (["I am happy today!", "I feel great.", "I had a good day.", "What a lovely day!"],
         ["I am very glad to hear it! What made you so happy?", "How delightful! I am glad for you."]),
        (["Tell me something.", "Say something.", "Talk to me.", "I am bored.", "Tell me something interesting."],
         ["It is a truth universally acknowledged, that a single man in possession of a good fortune, must be in want of a wife.", "A spider has eight legs, and an insect has six.", "In the old Norse tales, Kvasir was the wisest of all beings."]),
        (["What is the weather like?", "What time is it?", "What day is it today?", "What is the news today?"],
         ["I am sorry, but I cannot know that. I am only a small language model.", "I do not know. I have no clock and no window."]),
    ]  # fmt: skip
    users, answers = pick(table)
    return loosely(rng, pick(users)), "The user is talking to me. I will give a friendly answer.", pick(answers)


STORY_HEROES = "fox lion mouse shepherd queen king sailor farmer girl boy widow wolf dog cat bird knight baker prince princess donkey".split()
STORY_PLACES = ["in a deep forest", "by the sea", "on a high mountain", "in a little village", "near a wide river", "in an old castle", "on a green island", "at the edge of the desert"]
STORY_FINDS = ["a golden ring", "a silver key", "an old letter", "a small lamp", "a broken sword", "a bag of gold", "a strange stone", "a wooden box", "a white feather"]
STORY_MOODS = ["very poor", "very proud", "kind and quiet", "always hungry", "brave", "lonely", "wise but old", "young and merry"]
STORY_HELPERS = "raven hare old woman stranger fish little bird traveller turtle beggar child".replace("old woman", "old_woman").replace("little bird", "little_bird").split()
STORY_MORALS = [
    "It is better to have one friend than much gold.", "A kind word is worth more than silver.", "Pride goes before a fall.",
    "He who gives will also receive.", "Patience is the best of helpers.", "The smallest friend may be the greatest help.",
]  # fmt: skip


def story_text(rng, hero=None, place=None, find=None):
    pick = rng.choice
    hero, place, find = hero or pick(STORY_HEROES), place or pick(STORY_PLACES), find or pick(STORY_FINDS)
    helper, mood = pick(STORY_HELPERS).replace("_", " "), pick(STORY_MOODS)
    thing = find.split(" ", 1)[1]
    parts = [
        pick([f"Once upon a time there was a {hero} who lived {place}.", f"There was once a {hero} who lived {place}.", f"Long ago, {place}, there lived a {hero}."]),
        pick([f"The {hero} was {mood}.", f"Everyone said that the {hero} was {mood}."]),
        pick([f"One morning the {hero} found {find} on the road.", f"One day, while walking alone, the {hero} found {find}.", f"One cold evening the {hero} saw {find} under a tree."]),
        pick([f"Then came a {helper} and said, \"That {thing} is mine. I have lost it.\"", f"A {helper} came by and asked, \"Will you give me the {thing}? I have nothing in the world.\"", f"Just then a {helper} cried out for help, for there was no one else near."]),
        pick([f"The {hero} thought for a long time, and gave the {thing} to the {helper}.", f"At first the {hero} wished to keep the {thing}, but then felt sorry and gave it away.", f"The {hero} said, \"Take the {thing}, and be happy.\""]),
        pick([f"The {helper} smiled, and from that day they were friends.", f"The {helper} never forgot it, and came back with a great gift.", f"Many years later the {helper} saved the life of the {hero}."]),
        pick(STORY_MORALS + ["And they lived happily to the end of their days.", "And so they were both content."]),
    ]  # fmt: skip
    return " ".join(parts)


def story(rng):
    pick = rng.choice
    kind = rng.randrange(4)
    if kind == 0:
        user, text = pick(["Tell me a story.", "Please tell me a story", "Can you tell me a story?", "I would like to hear a story.", "Write a short story.", "Tell me a short story, please.", "Tell me another story."]), story_text(rng)
    elif kind == 1:
        hero = pick(STORY_HEROES)
        user = pick([f"Tell me a story about a {hero}.", f"Write a story about a {hero}.", f"Please tell me a short story about a {hero}.", f"Do you know a story about a {hero}?", f"Can you tell me a tale about a {hero}?"])
        text = story_text(rng, hero=hero)
    elif kind == 2:
        hero, find = pick(STORY_HEROES), pick(STORY_FINDS)
        user = pick([f"Tell me a story about a {hero} and {find}.", f"Write a story about a {hero} who finds {find}."])
        text = story_text(rng, hero=hero, find=find)
    else:
        place = pick(STORY_PLACES)
        user, text = f"Tell me a story that happens {place}.", story_text(rng, place=place)
    return loosely(rng, user), "The user wants a story. I will tell a short one with a good end.", text


def copying(rng):
    pick = rng.choice
    words = " ".join(rng.sample(facts.WORDS, rng.randrange(1, 6)))
    kind = rng.randrange(3)
    if kind == 0:
        return pick([f"Repeat after me: {words}", f"Say this: {words}", f"Please repeat: {words}", f"Repeat these words: {words}"]), f"I will say {words}.", words
    if kind == 1:
        items = rng.sample(facts.WORDS, 3)
        text = f"{items[0]}, {items[1]} and {items[2]}"
        return pick([f"Write a list of these words: {text}.", f"Make a list: {text}."]), "I will write a list.", "\n".join(f"- {w}" for w in items)
    a, b = rng.randrange(1, 10), rng.randrange(3, 8)
    return pick([f"Count from {a} to {a + b}.", f"Please count from {a} to {a + b}."]), "I will count.", ", ".join(str(x) for x in range(a, a + b + 1)) + "."


def filler_turns(rng, count, brief):
    return [rng.choices((lambda: question_turn(rng, brief), lambda: small_talk(rng), lambda: copying(rng)), (5, 1, 2))[0]() for _ in range(count)]


def remembering(rng, brief):
    """The user tells something, talks of other things, and asks for it."""
    pick = rng.choice
    name, town, word, number = pick(facts.NAMES), pick(facts.TOWNS), pick(facts.WORDS), rng.randrange(10, 100)
    food, color, job = pick(facts.FOODS), pick(facts.COLORS), pick(facts.JOBS)
    animal, pet = pick(facts.PETS)
    pet = pick(facts.NAMES) if rng.random() < 0.5 else pet
    table = [
        ([f"My name is {name}.", f"Hello, I am {name}.", f"I am called {name}.", f"Hi! My name is {name}."], f"Hello, {name}! How can I help you?",
         ["What is my name?", "Do you remember my name?", "Who am I?", "Can you tell me my name?"], name, f"Your name is {name}."),
        ([f"I live in {town}.", f"My home is in {town}.", f"I come from {town}."], f"{town} is a fine place to live.",
         ["Where do I live?", "Do you remember where I live?", "Which town do I live in?"], town, f"You live in {town}."),
        ([f"Remember the word {word}.", f"Please remember this word: {word}", f"The secret word is {word}.", f"The password is {word}. Remember it."], f"I will remember the word {word}.",
         ["What was the word?", "Which word did I tell you?", "What is the secret word?", "What word did I ask you to remember?"], word, f"The word was {word}."),
        ([f"Remember the number {number}.", f"My number is {number}.", f"The secret number is {number}."], f"I will remember the number {number}.",
         ["What was the number?", "What is the secret number?", "Which number did I tell you?"], str(number), f"The number was {number}."),
        ([f"I like {food}.", f"My favorite food is {food}.", f"I love to eat {food}."], f"How nice! I hear that {food} can be very good.",
         ["What do I like to eat?", "What is my favorite food?", "Which food do I like?"], food, f"You like {food}."),
        ([f"My favorite color is {color}.", f"I like the color {color}."], f"What a fine color {color} is!",
         ["What is my favorite color?", "Which color do I like?"], color, f"Your favorite color is {color}."),
        ([f"I have a {animal}. Its name is {pet}.", f"My {animal} is called {pet}.", f"I have a {animal} called {pet}."], f"{pet} is a good name for a {animal}.",
         [f"What is the name of my {animal}?", f"What is my {animal} called?", f"Do you remember my {animal}'s name?"], pet, f"Your {animal} is called {pet}."),
        ([f"I am a {job}.", f"I work as a {job}."], f"It must be interesting to be a {job}.",
         ["What is my work?", "What do I do?", "What is my job?"], job, f"You are a {job}."),
    ]  # fmt: skip
    chosen = rng.sample(table, rng.choice((1, 1, 1, 2, 2, 3)))
    turns = [(loosely(rng, pick(t[0])) if rng.random() < 0.3 else pick(t[0]), "I should remember that.", t[1]) for t in chosen]
    turns += filler_turns(rng, rng.choice((0, 0, 1, 1, 2, 3, 4, 6)), brief)
    rng.shuffle(chosen)
    for t in chosen[: rng.choice((1, 2, 3))]:
        turns.append((loosely(rng, pick(t[2])), f"The user told me: {t[3]}.", capital(t[3]) if brief else t[4]))
    return turns


class Passages:
    """Real prose for "continue this passage" and short definitions for "define"."""

    def __init__(self, work):
        self.paragraphs = []
        for name in ("kjv", "web", "austen"):
            text = open(f"{work}/prose/{name}.train.txt", encoding="utf-8").read()
            self.paragraphs.append([p for p in re.split(r"\n\n+", text) if 160 < len(p) < 900])
        self.definitions = []
        for p in re.split(r"\n\n+", open(f"{work}/prose/devil.train.txt", encoding="utf-8").read()):
            match = re.match(r"([A-Z]{3,}), (?:n|adj|v\.t|v\.i|v)\. (.{15,220}?[.!])(?: |$)", p)
            if match:
                self.definitions.append((match[1].lower(), match[2]))

    def continuation(self, rng):
        while True:
            sentences = re.split(r"(?<=[.!?;:]) +", rng.choice(rng.choice(self.paragraphs)))
            if len(sentences) < 2:
                continue
            cut = rng.randrange(1, len(sentences))
            head, tail = " ".join(sentences[max(0, cut - 2) : cut]), " ".join(sentences[cut : cut + 4])
            if 20 < len(head) < 400 and 20 < len(tail) < 500:
                break
        lead = rng.choice(["Continue this passage: ", "Please continue: ", "What comes next? ", "Continue the text: ", "Go on from here: ", "Continue: ", "How does this go on? "])
        return lead + head, "I will continue the passage in the same style.", tail

    def definition(self, rng):
        word, text = rng.choice(self.definitions)
        user = rng.choice([
            f"How does The Devil's Dictionary define {word}?", f"What does Ambrose Bierce say about {word}?", f"Define {word}.",
            f"What is the meaning of {word}?", f"What does the word {word} mean?", f"Give me the definition of {word}.",
        ])  # fmt: skip
        return loosely(rng, user), f"I know this word from The Devil's Dictionary.", f"{capital(word)}: {text[0].lower() + text[1:]}"


def conversation(rng, passages):
    brief = rng.random() < 0.06
    system = rng.choice(BRIEF) if brief else rng.choice(SYSTEMS) if rng.random() < 0.3 else ""
    kind = rng.random()
    if kind < 0.30:
        turns = [question_turn(rng, brief)]
    elif kind < 0.42:
        turns = [small_talk(rng)]
    elif kind < 0.52:
        turns = [story(rng)]
    elif kind < 0.62:
        turns = [passages.continuation(rng)]
    elif kind < 0.66:
        turns = [passages.definition(rng)]
    elif kind < 0.70:
        turns = [copying(rng)]
    elif kind < 0.86:
        turns = remembering(rng, brief)
    else:
        makers = [lambda: question_turn(rng, brief), lambda: small_talk(rng), lambda: story(rng), lambda: passages.definition(rng), lambda: copying(rng)]
        turns = [rng.choices(makers, (5, 4, 1, 1, 1))[0]() for _ in range(rng.randrange(2, 6))]
    thinking = rng.random() < 0.08
    last = len(turns) - 1  # earlier turns are rendered without their thoughts, as the chat layout does
    return {"system": system, "turns": [[u, t if thinking and i == last else None, a] for i, (u, t, a) in enumerate(turns)]}


def render(talk) -> str:
    text = talk["system"]
    for user, thought, answer in talk["turns"]:
        think = "</think>" if thought is None else f"<think>{thought}</think>"
        text += f"<\uff5cUser\uff5c>{user}<\uff5cAssistant\uff5c>{think}{answer}<\uff5cend\u2581of\u2581sentence\uff5c>"
    return text


def main(work, count):
    rng = random.Random(SEED)
    passages = Passages(work)
    size_bytes = 0
    with open(f"{work}/chat.jsonl", "w", encoding="utf-8") as f:
        for _ in range(count):
            talk = conversation(rng, passages)
            size_bytes += len(render(talk).encode())
            f.write(json.dumps(talk, ensure_ascii=False) + "\n")
    print(f"{count} conversations, {size_bytes} bytes, {len(passages.definitions)} definitions")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
