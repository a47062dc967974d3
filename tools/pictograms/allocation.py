"""Which icon set plays which part, decided before any model was trained.

A designer has one role. Versions and derivatives of a family (Material, Font Awesome,
Streamline, ...) are listed together, so the same drawing never sits on both sides. Every
set that is not named here, has an allowed licence and is no logo or flag set, is pretraining.
"""

from __future__ import annotations


def _words(text: str) -> list[str]:
    return text.split()


ALLOWED_LICENCES: dict[str, str] = {
    "MIT": "MIT", "Apache-2.0": "Apache-2.0", "ISC": "ISC", "BSD-3-Clause": "BSD-3-Clause",
    "CC0-1.0": "CC0-1.0", "CC-BY-4.0": "CC-BY-4.0", "CC-BY-3.0": "CC-BY-3.0",
    "OFL-1.1": "OFL-1.1", "Unlicense": "Unlicense",
}  # fmt: skip

LEFT_OUT_CATEGORIES = frozenset({"Logos", "Programming"})
LEFT_OUT = frozenset(
    # art of a kind we do not redistribute, flags, spinners, abstract signs
    _words(
        "openmoji emojione emojione-v1 emojione-monotone circle-flags flag flagpack cif "
        "svg-spinners fontelico academicons"
    )
)
KEPT_PROGRAMMING = frozenset({"codicon"})

TRAIN = _words(
    "hugeicons mynaui vadivam tdesign teenyicons basil iconoir jam carbon "
    "gravity-ui lineicons ci qlementine-icons ion famicons lets-icons cil system-uicons "
    "bitcoin-icons cuida weui"
)
VAL = _words(
    "reicon griddy-icons mage flowbite uil uim uis uit gg charm humbleicons ep si stash "
    "prime nimbus bytesize simple-line-icons"
)
TEST = _words(
    # Streamline, one designer with many styles
    "streamline streamline-block streamline-color streamline-cyber streamline-cyber-color "
    "streamline-emojis streamline-flex streamline-flex-color streamline-freehand "
    "streamline-freehand-color streamline-kameleon-color streamline-pixel streamline-plump "
    "streamline-plump-color streamline-sharp streamline-sharp-color "
    "streamline-stickies-color streamline-ultimate streamline-ultimate-color guidance covid "
    "icon-park icon-park-outline icon-park-solid icon-park-twotone glyphs glyphs-poly "
    "mingcute ri boxicons bx bxs bi akar-icons proicons meteor-icons fe "
    # solid silhouettes
    "pinhead maki temaki roentgen osmic whh game-icons at-icons fontisto vaadin foundation "
    # emoji
    "noto noto-v1 twemoji"
)
DEV = _words(
    "pixelarticons majesticons pixel dinkie-icons marketeq flat-ui fxemoji raphael el subway"
)
ROLE: dict[str, str] = {
    **dict.fromkeys(TRAIN, "train"),
    **dict.fromkeys(VAL, "val"),
    **dict.fromkeys(TEST, "test"),
    **dict.fromkeys(DEV, "dev"),
}
# Designers of several sets that are no pretraining, by author or because a set took over another's
# drawings (of Temaki's 557 pinhead has 316 unchanged, of Maki's 24; of famicons' 1,342 are 1,322
# Ionicons'). Any other set is one designer's. The package's table of units is compared with this.
FAMILIES = (
    {s for s in TEST if s.startswith("streamline")} | {"guidance", "covid"},
    {s for s in TEST if s.startswith("icon-park")},
    {"glyphs", "glyphs-poly"},
    {"boxicons", "bx", "bxs"},
    {"noto", "noto-v1"},
    {"pinhead", "maki", "temaki"},
    {"ion", "famicons"},
    {"mynaui", "vadivam"},
    {"uil", "uim", "uis", "uit"},
    {"pixelarticons", "majesticons"},
)
# Whose drawings the corpus must not nearly copy. Frozen when pretraining began: afterwards
# uil, uim, uis and uit went from test to val, at-icons from train to test (none of them is in the
# corpus; whatever the corpus nearly copies leaves val, test and dev when the data set is built).
GUARDED = (frozenset(TEST) | frozenset(DEV) | frozenset(_words("uil uim uis uit"))) - {"at-icons"}

# Of the 100 drawings of each QuickDraw class, after a seeded shuffle.
SKETCH_SEED = 20240607
SKETCH_SHARES = {"pretrain": 58, "dev": 8, "test": 34}

# What an icon is when its name declares no style; sets not named are outline.
BASE_STYLE: dict[str, str] = {
    **dict.fromkeys(
        _words(
            "at-icons bxs codex el fa fa-solid fa6-solid fa7-solid famicons flat-ui fluent-mdl2 "
            "fontisto foundation game-icons geo gis healthicons heroicons-solid ic "
            "icon-park-solid ion iwwa ls majesticons maki map material-symbols "
            "material-symbols-light mdi medical-icon oi oui osmic pinhead raphael roentgen "
            "subway temaki topcoat uis vaadin websymbol whh wpf zmdi zondicons nrk "
            "fluent-emoji-high-contrast"
        ),
        "solid",
    ),
    **dict.fromkeys(_words("icon-park-twotone uim duo-icons"), "duotone"),
    **dict.fromkeys(_words("pixelarticons pixel memory dinkie-icons streamline-pixel"), "pixel"),
    **dict.fromkeys(_words("streamline-freehand streamline-freehand-color"), "handdrawn"),
}
# One style whatever the name says.
FIXED_STYLES = frozenset({"pixel", "handdrawn", "colour", "emoji"})


def allowed(prefix: str, info: dict) -> bool:
    """Whether a set of `collections.json` may be used at all."""
    if info.get("license", {}).get("spdx") not in ALLOWED_LICENCES or prefix in LEFT_OUT:
        return False
    return info.get("category") not in LEFT_OUT_CATEGORIES or prefix in KEPT_PROGRAMMING


def role(prefix: str) -> str:
    """pretrain, train, val, test or dev."""
    return ROLE.get(prefix, "pretrain")


def domain(prefix: str, info: dict, declared: str) -> str:
    """The style family of one icon, from its set and the style that its name declares."""
    base = BASE_STYLE.get(prefix)
    if base in FIXED_STYLES:
        return base
    if info.get("category") == "Emoji" and prefix != "fluent-emoji-high-contrast":
        return "emoji"
    if prefix == "fluent-emoji":
        return "emoji"
    if info.get("palette"):
        return "colour"
    return declared or base or "outline"
