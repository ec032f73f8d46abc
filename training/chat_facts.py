"""Hand-written facts for the chat data. Each entry: (ways to ask, ways to answer). `{}` slots are filled from the tables."""

AUSTEN = ["Emma", "Pride and Prejudice", "Sense and Sensibility", "Mansfield Park", "Northanger Abbey", "Persuasion"]

BOOKS = (
    [
        ("who is the heroine of Emma", "Emma Woodhouse"),
        ("who is the heroine of Pride and Prejudice", "Elizabeth Bennet"),
        ("who is the heroine of Mansfield Park", "Fanny Price"),
        ("who is the heroine of Northanger Abbey", "Catherine Morland"),
        ("who is the heroine of Persuasion", "Anne Elliot"),
        ("who are the two sisters in Sense and Sensibility", "Elinor and Marianne Dashwood"),
        ("who is Elizabeth Bennet's elder sister", "Jane Bennet"),
        ("who does Elizabeth Bennet marry", "Mr. Darcy"),
        ("who does Jane Bennet marry", "Mr. Bingley"),
        ("who does Lydia Bennet marry", "Mr. Wickham"),
        ("who does Charlotte Lucas marry", "Mr. Collins"),
        ("who does Emma Woodhouse marry", "Mr. Knightley"),
        ("who does Anne Elliot marry", "Captain Wentworth"),
        ("who does Fanny Price marry", "Edmund Bertram"),
        ("who does Catherine Morland marry", "Henry Tilney"),
        ("who does Elinor Dashwood marry", "Edward Ferrars"),
        ("who does Marianne Dashwood marry", "Colonel Brandon"),
        ("where does Mr. Darcy live", "Pemberley"),
        ("where does Mr. Bingley live", "Netherfield"),
        ("where does Emma Woodhouse live", "Hartfield, in Highbury"),
        ("where does Mr. Knightley live", "Donwell Abbey"),
        ("where does the Bennet family live", "Longbourn"),
        ("who lives at Pemberley", "Mr. Darcy"),
        ("who is Emma's young friend", "Harriet Smith"),
        ("how many Bennet sisters are there", "five"),
        ("who wrote The Devil's Dictionary", "Ambrose Bierce"),
    ]
    + [(f"who wrote {b}", "Jane Austen") for b in AUSTEN]
    + [(f"who is the author of {b}", "Jane Austen") for b in AUSTEN]
)

BIBLE = [
    ("what did God create in the beginning", "the heaven and the earth"),
    ("what did God create first", "the heaven and the earth"),
    ("who was the first man", "Adam"),
    ("who was the first woman", "Eve"),
    ("who built the ark", "Noah"),
    ("who killed Abel", "Cain, his brother"),
    ("who was the brother of Cain", "Abel"),
    ("who was the father of Isaac", "Abraham"),
    ("who was the wife of Abraham", "Sarah"),
    ("who was the son of Abraham and Sarah", "Isaac"),
    ("who was the wife of Isaac", "Rebekah"),
    ("who were the twin sons of Isaac", "Esau and Jacob"),
    ("who was the father of Joseph", "Jacob"),
    ("who led Israel out of Egypt", "Moses"),
    ("who was the brother of Moses", "Aaron"),
    ("who was the sister of Moses", "Miriam"),
    ("who led Israel after Moses", "Joshua"),
    ("who killed Goliath", "David"),
    ("who was the first king of Israel", "Saul"),
    ("who was the son of David", "Solomon"),
    ("who built the temple in Jerusalem", "Solomon"),
    ("who was the strong man of Israel", "Samson"),
    ("who was swallowed by a great fish", "Jonah"),
    ("who was thrown into the den of lions", "Daniel"),
    ("who was the mother of Jesus", "Mary"),
    ("who baptized Jesus", "John the Baptist"),
    ("who betrayed Jesus", "Judas Iscariot"),
    ("who denied Jesus three times", "Peter"),
    ("where was Jesus born", "Bethlehem"),
    ("what is the first book of the Bible", "Genesis"),
    ("what is the last book of the Bible", "Revelation"),
    ("what is the second book of the Bible", "Exodus"),
    ("how many days did the flood rain last", "forty days and forty nights"),
    ("how many commandments were given to Moses", "ten"),
    ("how many disciples did Jesus choose", "twelve"),
    ("what did God call the light", "Day"),
    ("what did God call the darkness", "Night"),
    ("what did God call the dry land", "Earth"),
    ("on which day did God rest", "the seventh day"),
]

WORLD = [
    ("what color is the sky", "blue"),
    ("what color is grass", "green"),
    ("what color is snow", "white"),
    ("what color is blood", "red"),
    ("what color is coal", "black"),
    ("what color is a lemon", "yellow"),
    ("what color is a banana", "yellow"),
    ("what color is the sun", "yellow"),
    ("what color is milk", "white"),
    ("what color is a carrot", "orange"),
    ("what color is a rose", "often red"),
    ("what color do you get from blue and yellow", "green"),
    ("what color do you get from red and white", "pink"),
    ("what color do you get from red and yellow", "orange"),
    ("how many legs does a dog have", "four"),
    ("how many legs does a spider have", "eight"),
    ("how many legs does an insect have", "six"),
    ("how many legs does a bird have", "two"),
    ("how many legs does a horse have", "four"),
    ("how many legs does a fish have", "none"),
    ("how many days are in a week", "seven"),
    ("how many months are in a year", "twelve"),
    ("how many hours are in a day", "twenty-four"),
    ("how many minutes are in an hour", "sixty"),
    ("how many seconds are in a minute", "sixty"),
    ("how many days are in a year", "365"),
    ("how many fingers are on one hand", "five"),
    ("how many eyes do you see on a face", "two"),
    ("how many seasons are there", "four"),
    ("how many letters are in the English alphabet", "twenty-six"),
    ("how many wheels does a bicycle have", "two"),
    ("how many sides does a triangle have", "three"),
    ("how many sides does a square have", "four"),
    ("what is water made of", "hydrogen and oxygen"),
    ("what is frozen water called", "ice"),
    ("what do bees make", "honey"),
    ("what do cows give us", "milk"),
    ("what do hens lay", "eggs"),
    ("where do fish live", "in the water"),
    ("where do birds build their nests", "in the trees"),
    ("what falls from the clouds", "rain"),
    ("what shines at night", "the moon and the stars"),
    ("what rises in the east", "the sun"),
    ("where does the sun set", "in the west"),
    ("what is the largest ocean", "the Pacific Ocean"),
    ("what is the tallest mountain", "Mount Everest"),
    ("which planet do we live on", "the Earth"),
    ("what is the first letter of the alphabet", "A"),
    ("what is the last letter of the alphabet", "Z"),
    ("who was the first president of the United States", "George Washington"),
    ("who wrote Hamlet", "William Shakespeare"),
    ("who wrote Romeo and Juliet", "William Shakespeare"),
]

CAPITALS = dict(
    France="Paris", England="London", Spain="Madrid", Italy="Rome", Germany="Berlin", Japan="Tokyo", Egypt="Cairo",
    Greece="Athens", Portugal="Lisbon", Norway="Oslo", Sweden="Stockholm", Denmark="Copenhagen", Russia="Moscow",
    China="Beijing", Austria="Vienna", Ireland="Dublin", Scotland="Edinburgh", Wales="Cardiff", Poland="Warsaw",
    Finland="Helsinki", Belgium="Brussels", Hungary="Budapest", Turkey="Ankara", Canada="Ottawa", Mexico="Mexico City",
    Peru="Lima", Cuba="Havana", Kenya="Nairobi", Iceland="Reykjavik", Switzerland="Bern", India="New Delhi",
    Australia="Canberra", Brazil="Brasilia", Israel="Jerusalem", Iran="Tehran", Iraq="Baghdad", Chile="Santiago",
)  # fmt: skip

SOUNDS = dict(
    dog="barks", cat="meows", cow="moos", sheep="bleats", horse="neighs", lion="roars", duck="quacks", owl="hoots", wolf="howls",
    snake="hisses", bee="buzzes", frog="croaks", pig="grunts", donkey="brays", crow="caws", mouse="squeaks",
)  # fmt: skip

YOUNG = dict(
    dog="puppy", cat="kitten", cow="calf", sheep="lamb", horse="foal", lion="cub", duck="duckling", goat="kid", frog="tadpole",
    bear="cub", deer="fawn", hen="chick", swan="cygnet", goose="gosling",
)  # fmt: skip

OPPOSITES = dict(
    hot="cold", big="small", tall="short", fast="slow", light="dark", day="night", good="bad", old="new", young="old", rich="poor",
    happy="sad", high="low", hard="soft", full="empty", wet="dry", open="closed", early="late", strong="weak", up="down",
    left="right", love="hate", war="peace", first="last", near="far", true="false", loud="quiet", sweet="bitter", wide="narrow",
    begin="end", life="death", friend="enemy", black="white", heavy="light", clean="dirty", wise="foolish", inside="outside",
)  # fmt: skip

PLURALS = dict(
    man="men", woman="women", child="children", foot="feet", tooth="teeth", mouse="mice", goose="geese", sheep="sheep", ox="oxen",
    book="books", city="cities", leaf="leaves", wolf="wolves", knife="knives", house="houses", box="boxes", star="stars",
    baby="babies", fish="fish", lady="ladies", king="kings", wife="wives",
)  # fmt: skip

PASTS = dict(
    go="went", come="came", see="saw", eat="ate", run="ran", sing="sang", write="wrote", speak="spoke", give="gave", take="took",
    know="knew", think="thought", bring="brought", buy="bought", fall="fell", sleep="slept", walk="walked", love="loved",
    make="made", say="said", find="found", keep="kept", begin="began", drink="drank",
)  # fmt: skip

DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
MONTHS = "January February March April May June July August September October November December".split()

NUMBERS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen "
    "nineteen twenty"
).split()

NAMES = (
    "Anna Thomas Mary John Emma Henry Jane Edward Fanny George Lucy William Martha Peter Ruth Samuel Alice David Sarah Daniel "
    "Elizabeth James Harriet Charles Anne Robert Catherine Frank Eleanor Joseph Rachel Simon Clara Hugo Ida Oscar Nora Felix Ella "
    "Leo Julia Max Rosa Paul Helen Mark Laura Adam Eva Noah Sophie Ben Maria Tom Kate Jack Lily Sam Grace Ned"
).split()

TOWNS = "London Bath Paris Rome Oslo Dublin York Oxford Berlin Vienna Lisbon Athens Cairo Boston Bergen Madrid".split()

WORDS = (
    "apple river candle garden silver window mountain letter bread lantern harvest ocean feather winter anchor basket copper "
    "diamond eagle forest hammer island jewel kettle ladder meadow needle orchard pepper quilt ribbon shadow thunder violet "
    "whistle castle bridge flower stone horse ship tower bell crown cloud field flame honey"
).split()

FOODS = "apples bread soup fish cake cheese honey pears rice eggs plums nuts".split()
COLORS = "red blue green yellow white black purple orange pink brown".split()
PETS = [("dog", "Rex"), ("cat", "Tib"), ("horse", "Star"), ("bird", "Pip"), ("dog", "Bruno"), ("cat", "Misty"), ("rabbit", "Clover")]
JOBS = "teacher baker doctor sailor farmer painter singer carpenter gardener lawyer nurse writer".split()
