"""What a landscape consists of, and how prompts say it: attributes, phrases, vocabulary."""

from dataclasses import dataclass

import numpy as np

# Attribute value -> phrases that mean it, and how often a scene has it.
TIMES = {
    "day": ["day", "noon", "a sunny day", "daytime"],
    "dawn": ["dawn", "sunrise", "early morning"],
    "sunset": ["sunset", "sundown", "golden hour"],
    "dusk": ["dusk", "twilight", "a purple evening"],
    "night": ["night", "midnight", "a clear night"],
}
TIME_SHARES = [0.3, 0.14, 0.24, 0.14, 0.18]
SKIES = {
    "clear": ["clear sky", "a clear sky"],
    "cloudy": ["clouds", "cloudy sky", "fluffy clouds"],
    "stars": ["stars", "starry sky", "many stars"],
    "moon": ["full moon", "big moon", "moonlight"],
    "overcast": ["overcast sky", "grey clouds", "storm clouds"],
    "aurora": ["aurora", "northern lights", "green aurora"],
    "rainbow": ["a rainbow", "rainbow"],
}
NIGHT_SKIES = {"stars": 0.3, "moon": 0.38, "aurora": 0.22, "cloudy": 0.1}
DAY_SKIES = {"clear": 0.36, "cloudy": 0.38, "overcast": 0.16, "rainbow": 0.1}
TWILIGHT_SKIES = {"clear": 0.5, "cloudy": 0.5}
LANDS = {
    "snowy": ["snowy mountains", "snow capped peaks", "alps"],
    "mountains": ["mountains", "rocky mountains", "peaks"],
    "hills": ["green hills", "rolling hills", "hills"],
    "volcano": ["a volcano", "an erupting volcano", "lava volcano"],
    "mesa": ["red canyon", "mesa", "red rocks"],
    "flat": ["the horizon", "a wide horizon", "flat land"],
}
LAND_SHARES = [0.26, 0.2, 0.18, 0.12, 0.1, 0.14]
GROUNDS = {
    "lake": ["a lake", "a calm lake", "water reflection"],
    "sea": ["the sea", "the ocean", "waves"],
    "meadow": ["a meadow", "grass", "a green field"],
    "flowers": ["flowers", "a flower field", "wild flowers"],
    "desert": ["a desert", "sand dunes", "dunes"],
    "snow": ["snow", "a snowy field", "winter"],
    "forest": ["a pine forest", "trees", "woods"],
}
GROUND_SHARES = [0.24, 0.12, 0.14, 0.1, 0.13, 0.11, 0.16]
OBJECTS = ["sailboat", "hot air balloon"]
FOGS = ["fog", "mist"]
JOINING_WORDS = "a an and at over with in on the of by under near".split()
SPECIAL_TOKENS = ["<pad>", "<bos>", "<unk>"]


@dataclass(frozen=True)
class Scene:
    """One landscape. The seed fixes everything that the attributes leave open."""

    time: str
    sky: str
    land: str
    ground: str
    object: str | None
    fog: bool
    seed: int


def vocabulary() -> dict[str, int]:
    """Word -> token id; the ids of released weights depend on it."""
    phrases = [p for d in (TIMES, SKIES, LANDS, GROUNDS) for ps in d.values() for p in ps]
    words = {w for p in phrases + OBJECTS + FOGS for w in p.split()} | set(JOINING_WORDS)
    return {word: i for i, word in enumerate(SPECIAL_TOKENS + sorted(words))}


def draw_scene(rng: np.random.Generator) -> Scene:
    """A scene at random; skies that a time of day does not have are not drawn."""
    time = str(rng.choice(list(TIMES), p=TIME_SHARES))
    skies = {"night": NIGHT_SKIES, "day": DAY_SKIES}.get(time, TWILIGHT_SKIES)
    sky = str(rng.choice(list(skies), p=list(skies.values())))
    land = str(rng.choice(list(LANDS), p=LAND_SHARES))
    ground = str(rng.choice(list(GROUNDS), p=GROUND_SHARES))
    thing = None
    if rng.random() < 0.3 and ground in ("lake", "sea"):
        thing = "sailboat"
    elif rng.random() < 0.05 and time != "night":
        thing = "hot air balloon"
    fog = bool(rng.random() < 0.1)
    return Scene(time, sky, land, ground, thing, fog, int(rng.integers(1 << 31)))


def caption(scene: Scene, rng: np.random.Generator) -> str:
    """One of many ways to say what a scene shows; now and then an attribute is left unsaid."""

    def pick(phrases: list[str]) -> str:
        return phrases[rng.integers(len(phrases))]

    time, sky = pick(TIMES[scene.time]), pick(SKIES[scene.sky])
    land, ground = pick(LANDS[scene.land]), pick(GROUNDS[scene.ground])
    if rng.random() < 0.12:
        sky = ""
    if rng.random() < 0.07:
        time = ""
    parts = [land, ground]
    if scene.land == "flat" and rng.random() < 0.5:
        parts = [ground]
    elif rng.random() < 0.06:
        parts.pop(rng.integers(2))
    if rng.random() < 0.3:
        parts.reverse()
    if scene.object:
        parts.insert(rng.integers(len(parts) + 1), "a " + scene.object)
    if scene.fog:
        parts.append(pick(FOGS))
    form = rng.integers(4)
    joined = (" and " if form == 0 else ", ").join(parts)
    if form == 1 and time:
        return f"{time} over {joined}" + (f" with {sky}" if sky else "")
    if form == 2 and time:
        return f"{joined} at {time}" + (f", {sky}" if sky else "")
    return ", ".join(part for part in (joined, time, sky) if part)


def land_captions(scene: Scene, rng: np.random.Generator) -> list[str]:
    """The same caption once per land, in the order of `LANDS`; nothing but the words of the land differs."""

    def pick(phrases: list[str]) -> str:
        return phrases[rng.integers(len(phrases))]

    ground, time, sky = pick(GROUNDS[scene.ground]), pick(TIMES[scene.time]), pick(SKIES[scene.sky])
    lands = [pick(phrases) for phrases in LANDS.values()]
    form, land_first = rng.integers(4), rng.random() < 0.7
    if rng.random() < 0.12:
        sky = ""
    captions = []
    for land in lands:
        parts = [land, ground] if land_first else [ground, land]
        joined = (" and " if form == 0 else ", ").join(parts)
        if form == 1:
            said = [f"{time} over {joined}" + (f" with {sky}" if sky else "")]
        elif form == 2:
            said = [f"{joined} at {time}", sky]
        else:
            said = [joined, time, sky]
        captions.append(", ".join(part for part in said if part))
    return captions


def full_prompt(scene: Scene, rng: np.random.Generator) -> str:
    """Land, ground, time and sky, all of them said: what adherence is measured with."""
    said = (LANDS[scene.land], GROUNDS[scene.ground], TIMES[scene.time], SKIES[scene.sky])
    return ", ".join(phrases[rng.integers(len(phrases))] for phrases in said)
