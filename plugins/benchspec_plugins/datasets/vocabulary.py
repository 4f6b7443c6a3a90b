"""The words and sentence patterns of the data set `synthetic`.

In a pattern `{n}` is a noun of the row's topic, `{a}` an adjective, `{v}` a verb ("the river shapes"), `{i}` an
infinitive ("to shape"), `{r}` an adverb, `{w}` people, `{p}` a place, `{d}` a number. Lists begin with their most
frequent words. Every entry is one whitespace-separated word, so that a pattern's length in words is known in advance.
"""

#: nouns by topic; each row has one topic, so that its beginning helps to predict its end
TOPICS = {
    "geography": (
        "river mountain valley coast island desert forest harbor tributary tundra glacier canyon fjord lagoon "
        "estuary plateau mangrove watershed peninsula escarpment volcano isthmus archipelago floodplain"
    ),
    "cooking": (
        "recipe sauce kitchen oven bread soup flavor onion zucchini marinade dessert mushroom parsley casserole "
        "vegetable sourdough spatula cutlery cinnamon rosemary vinaigrette cauliflower colander dumpling"
    ),
    "medicine": (
        "patient doctor hospital treatment disease vaccine stethoscope nurse pediatrician symptom tonsil heart "
        "bandage physiotherapist muscle antibiotic thermometer diagnosis optometrist inflammation cholesterol "
        "defibrillator ultrasound radiologist"
    ),
    "computing": (
        "computer program spreadsheet network database touchscreen algorithm user smartwatch server chatbot function "
        "password bootloader website compiler motherboard keyboard subroutine cybersecurity repository namespace "
        "parser hyperlink"
    ),
    "history": (
        "king war empire city treaty century blacksmith army aqueduct gladiator pharaoh museum monarchy "
        "archaeologist revolution manuscript parliament feudalism constitution aristocracy dynasty amphitheater "
        "stonemason heirloom"
    ),
    "business": (
        "company customer stakeholder market product budget team wholesaler contract bookkeeper copywriter manager "
        "strategy storefront startup revenue franchisee investor advertisement warehouse shareholder brainstorming "
        "entrepreneur telemarketer"
    ),
    "nature": (
        "animal tree bird plant flower wetland hummingbird insect caterpillar woodpecker soil dolphin butterfly "
        "pollinator whale rainforest dragonfly ecosystem photosynthesis elephant chameleon earthworm hedgehog lichen"
    ),
    "physics": (
        "energy planet light star barometer gravity neutrino atom pendulum telescope magnet centrifuge electron "
        "thermometer molecule experiment wavelength supernova temperature spectrometer galaxy spacecraft "
        "oscilloscope semiconductor"
    ),
    "arts": (
        "painting song story poem novel artist tapestry saxophone film choreographer playwright melody theater haiku "
        "sculpture orchestra watercolor metaphor protagonist soliloquy character silhouette ballerina woodcut"
    ),
    "education": (
        "student teacher school book lesson syllabus thesaurus question exam chalkboard tutoring language classroom "
        "bibliography library curriculum textbook valedictorian scholarship kindergarten grammar homework flashcard "
        "apprenticeship"
    ),
    "travel": (
        "hotel train road ticket airport hostel map rickshaw concierge beach campsite bicycle itinerary passenger "
        "souvenir tourist backpacker luggage sightseeing ferry snorkeling caravan guidebook stopover"
    ),
    "society": (
        "family government community law citizen neighbor alderman orphanage townspeople election suffrage policy "
        "tradition volunteer philanthropy bureaucracy ombudsman democracy homelessness legislation referendum "
        "playground almshouse gentrification"
    ),
}

ADJECTIVES = (
    "new good important small large old common simple local modern natural harmonious weathered quiet serene famous "
    "flavorful strong resourceful public handcrafted healthy careful ancient bright gentle picturesque complex "
    "reliable curious effective biodegradable creative traditional affordable remarkable sophisticated user-friendly "
    "meticulous indispensable unpredictable breathtaking"
)

VERBS = (
    "needs helps changes supports shapes follows fosters improves protects sustains complements connects explains "
    "nourishes outperforms reaches affects replenishes describes carries transcends replaces surrounds balances "
    "inspires streamlines strengthens overshadows illustrates invigorates rejuvenates counterbalances"
)

INFINITIVES = (
    "use find improve understand protect decorate describe build memorize choose change categorize compare measure "
    "soothe organize synchronize explain paraphrase repair design celebrate summarize prioritize evaluate appreciate "
    "recycle fine-tune"
)

ADVERBS = (
    "often also usually slowly always gracefully quickly clearly rarely gradually wholeheartedly painstakingly "
    "carefully quietly surprisingly efficiently effortlessly simultaneously enthusiastically"
)

PEOPLE = (
    "people children students scientists workers librarians families carpenters experts visitors nutritionists "
    "electricians engineers farmers gardeners researchers musicians beekeepers historians beginners commuters "
    "photographers environmentalists"
)

#: place names, which a tokenizer often splits into several tokens
NAMES = (
    "Lisbon Canada Japan Chicago Kenya Norway Vienna Marrakesh Texas Montevideo Kathmandu Edinburgh Reykjavik "
    "Guadalajara Tashkent Bratislava Madagascar Ljubljana Antananarivo Yogyakarta"
)

NUMBERS = "2 3 5 10 4 7 12 20 100 6 15 30 50 8 25 40 75 1,000 90 365"

#: sentences, at least two of each length from 1 to 16 words; those below 5 are whole answers
SENTENCES = (
    "{n}",
    "{a}",
    "{d}",
    "{a} {n}",
    "{d} {w}",
    "the {n}",
    "the {a} {n}",
    "{n} and {n}",
    "to {i} the {n}",
    "{n}, {n}, {n}, {n}",
    "It {v} the {n}.",
    "The {n} {v} the {n}.",
    "{d} {w} and one {n}.",
    "The {a} {n} {v} the {n}.",
    "The {n} {r} {v} the {n}.",
    "It {r} {v} the {n}, not the {n}.",
    "Most {w} want to {i} the {n}.",
    "In {p}, the {n} {v} the {n}.",
    "The {a} {n} {r} {v} the {a} {n}.",
    "First, {i} the {n}, and then the {n}.",
    "{w} who {i} the {n} {r} need the {n}.",
    "The {n} is {a}, so it {v} the {n}.",
    "It is {a} to {i} the {n} and the {n}.",
    "{w} from {p} and {p} {r} {i} the {a} {n}.",
    "There are {d} ways to {i} the {n}, and all help.",
    "For example, the {a} {n} {v} the {n} of most {w}.",
    "In addition, {w} {r} {i} the {a} {n} and its {n}.",
    "The {n} is {a} and {a}, so it {r} {v} the {n}.",
    "When the {n} {v} the {n}, {w} can {i} the {a} {n}.",
    "At least {d} {w} in {p} believe that the {n} {v} the {n}.",
    "However, the {n} that {v} the {n} is not always {a}.",
    "According to {w} in {p}, 'the {n} {r} {v} the {n}' for {d} days.",
    "If you {i} the {n} for {d} days, the {n} will not change.",
    "In {p} and {p}, {w} {i} the {n}; in {p}, the {n} (and the {n}).",
    "This is why {w} {r} {i} the {n}, and how the {n} {v} {w}.",
    "The {n} is one of the most {a} parts of the {n}, because it {v} {w}.",
    "By the end of the year, {d} {w} will {i} the {n} and the {n}.",
    "It's {a} to remember that the {n} {v} the {n}, even if {w} don't {i} it.",
    "As a result, the {a} {n} {v} the {n}, while the {n} {v} the {n}.",
)

#: tasks that need no input
TASKS = (
    "Describe the {n}.",
    "Define the term {n}.",
    "Give {d} examples of the {a} {n}.",
    "What is the role of the {n}?",
    "Name {d} {w} who {i} the {n}.",
    "Explain how the {n} {v} the {n}.",
    "Write the {a} story of the {n}.",
    "Why do {w} in {p} {i} the {a} {n}?",
    "List {d} ways to {i} the {n} for {w}.",
    "Compare the {a} {n} with the {a} {n}.",
    "Write a short poem about the {n} and its {n}.",
    "Suggest {d} ideas that help {w} to {i} the {n}.",
    "How can {w} {i} the {n} without the {a} {n}?",
    "Create a list of {d} {a} things that the {n} {v}.",
    "Write an email that asks {w} to {i} the {a} {n}.",
    "Outline the steps that {w} must follow to {i} the {a} {n}.",
    "Generate a sentence that uses the words {n}, {n} and {n}.",
    "Imagine that you are the {n}. Tell {w} how the {n} {v} the {n}.",
    "Discuss whether {w} should {i} the {n}, and give {d} {a} reasons.",
    "What would happen if {d} {w} had to {i} the {n} at once?",
)

#: tasks about an input
TASKS_WITH_INPUT = (
    "Summarize the text about the {n}.",
    "Classify the following as {n} or {n}.",
    "Rewrite the sentence so that it sounds {a}.",
    "Find the {a} words in this text.",
    "Edit the following so that {w} understand it.",
    "Explain in {d} words why this {n} is {a}.",
    "Identify the {n} that the passage below mentions.",
    "Given this text, describe how the {n} {v} the {n}.",
    "Complete the following with one {a} {n}.",
    "Turn this note about the {n} into one {a} letter to {w}.",
    "Which {n} does the following describe?",
    "Read the following and suggest {d} ways to {i} the {n}.",
)
