"""
How the page looks and what Gradio itself says: a quiet theme, the style sheet and the script beside this file, words.

`THEME`, `CSS`, `HEAD` and `WORDS` are arguments of `launch()`. Nothing is fetched: fonts are the system's.
Knows nothing about what the page shows; colours are custom properties of theme.css.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import gradio as gr
from gradio.themes.utils import colors, sizes

from playground.adapt.methods import MORE
from playground.locales import DEFAULT, LANGUAGES, words
from playground.ui.kit import links

PAGE = {"light": "#f7f6f3", "dark": "#121418"}  # literal here, since Gradio paints it before the style sheet is there
OF_FAMILY = {"additive": "prompt_tuning", "selective": "full_fine_tuning", "reparameterization": "lora"}
COLOURS = "".join(
    f"--m-{one.id}{part}:var(--m-{OF_FAMILY[one.family]}{part});" for one in MORE.values() for part in ("", "-text")
)  # of the methods that have none of their own: those of the first of their family
CSS = Path(__file__).with_suffix(".css").read_text(encoding="utf-8") + f":root,.dark{{{COLOURS}}}\n"
SHADES = ("50", "100", "200", "300", "400", "500", "600", "700", "800", "900", "950")


def color(name: str, *shades: str) -> colors.Color:
    """Gradio's eleven shades, light to dark."""
    return colors.Color(name=name, **{f"c{shade}": value for shade, value in zip(SHADES, shades, strict=True)})


ACCENT = color(
    "pp-accent",
    *("#eef2ff", "#dfe6ff", "#c4d1ff", "#a8bdff", "#8aa9ff", "#4f74e8"),
    *("#1f4fd8", "#1a43ba", "#163997", "#122d78", "#0d2156"),
)
PAPER = color(
    "pp-paper",
    *("#faf9f7", "#f7f6f3", "#e4e1da", "#cbc8c0", "#a3a9b4", "#6b7280"),
    *("#5c6068", "#3d424b", "#2c3038", "#1a1d23", "#121418"),
)
# Gradio's variable: value, the same in light and dark since the custom properties change themselves
VALUES = {
    "body_text_color": "var(--pp-ink)",
    "body_text_color_subdued": "var(--pp-soft)",
    "background_fill_primary": "var(--pp-card)",
    "background_fill_secondary": "var(--pp-hover)",
    "border_color_primary": "var(--pp-line)",
    "border_color_accent": "var(--pp-accent)",
    "color_accent": "var(--pp-accent)",
    "color_accent_soft": "var(--pp-hover)",
    "link_text_color": "var(--pp-accent)",
    "link_text_color_hover": "var(--pp-accent)",
    "link_text_color_visited": "var(--pp-accent)",
    "link_text_color_active": "var(--pp-accent)",
    "block_background_fill": "var(--pp-card)",
    "block_border_color": "var(--pp-line)",
    "block_border_width": "1px",
    "block_shadow": "none",
    "block_info_text_color": "var(--pp-soft)",
    "block_label_background_fill": "var(--pp-card)",
    "block_label_text_color": "var(--pp-soft)",
    "block_title_text_color": "var(--pp-ink)",
    "panel_background_fill": "var(--pp-card)",
    "accordion_text_color": "var(--pp-soft)",
    "input_background_fill": "var(--pp-card)",
    "input_background_fill_focus": "var(--pp-card)",
    "input_border_width": "1px",
    "input_border_color": "var(--pp-line)",
    "input_border_color_focus": "var(--pp-accent)",
    "input_shadow": "none",
    "input_shadow_focus": "0 0 0 1px var(--pp-accent)",
    "input_placeholder_color": "var(--pp-soft)",
    "slider_color": "var(--pp-accent)",
    "loader_color": "var(--pp-accent)",
    "stat_background_fill": "var(--pp-accent)",
    "button_border_width": "1px",
    "button_primary_background_fill": "var(--pp-accent)",
    "button_primary_background_fill_hover": "var(--pp-accent-hover)",
    "button_primary_border_color": "var(--pp-accent)",
    "button_primary_border_color_hover": "var(--pp-accent-hover)",
    "button_primary_text_color": "var(--pp-on-accent)",
    "button_primary_text_color_hover": "var(--pp-on-accent)",
    "button_secondary_background_fill": "var(--pp-card)",
    "button_secondary_background_fill_hover": "var(--pp-hover)",
    "button_secondary_border_color": "var(--pp-line)",
    "button_secondary_border_color_hover": "var(--pp-soft)",
    "button_secondary_text_color": "var(--pp-ink)",
    "button_secondary_text_color_hover": "var(--pp-ink)",
    "checkbox_background_color": "var(--pp-card)",
    "checkbox_border_color": "var(--pp-soft)",
    "checkbox_label_background_fill": "var(--pp-card)",
    "checkbox_label_background_fill_hover": "var(--pp-hover)",
    "checkbox_label_background_fill_selected": "var(--pp-card)",
    "checkbox_label_border_color": "var(--pp-line)",
    "checkbox_label_border_color_hover": "var(--pp-soft)",
    "checkbox_label_border_color_selected": "var(--pp-accent)",
    "checkbox_label_text_color": "var(--pp-ink)",
    "checkbox_label_text_color_selected": "var(--pp-ink)",
    "checkbox_label_shadow": "none",
    "table_border_color": "var(--pp-line)",
    "table_even_background_fill": "var(--pp-card)",
    "table_odd_background_fill": "var(--pp-card)",
    "table_row_focus": "var(--pp-hover)",
    "table_text_color": "var(--pp-ink)",
}


def build_theme() -> gr.themes.Base:
    """Gradio's plainest theme with our colours, 15 px text and 12 px corners."""
    theme = gr.themes.Base(
        primary_hue=ACCENT,
        secondary_hue=ACCENT,
        neutral_hue=PAPER,
        text_size=sizes.Size(name="pp", xxs="11px", xs="12px", sm="13px", md="15px", lg="15px", xl="17px", xxl="22px"),
        radius_size=sizes.Size(name="pp", xxs="3px", xs="4px", sm="8px", md="10px", lg="12px", xl="12px", xxl="12px"),
        font=["system-ui", "-apple-system", "Segoe UI", "Roboto", "Helvetica Neue", "sans-serif"],
        font_mono=["ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace"],
    )
    both = {
        name + suffix: value for name, value in VALUES.items() for suffix in ("", "_dark") if hasattr(theme, name + suffix)
    }
    return theme.set(
        **both,
        body_background_fill=PAGE["light"],
        body_background_fill_dark=PAGE["dark"],
        block_title_text_weight="400",
        block_info_text_size="13px",
        section_header_text_weight="400",
        checkbox_border_radius="4px",
        button_large_text_weight="600",
        button_medium_text_weight="400",
        button_small_text_weight="400",
        button_transform_hover="none",
        button_transform_active="none",
        layout_gap="14px",
    )


THEME = build_theme()
# Gradio's words that it does not translate, and that lie in the locale files as it writes them
FIXED = "gradio.fixed."
OURS = ("number.whole", "number.any", "table.more", "header.arriving")  # what the script says itself


def build_head() -> str:
    """The scripts beside this file; theme.js is told what it has to know of colours, languages and words."""
    fixed = [key for key in words(DEFAULT) if key.startswith(FIXED)]
    spoken = {code: [[words(DEFAULT)[key], words(code)[key]] for key in fixed] for code in LANGUAGES if code != DEFAULT}
    ours = {code: {key: words(code)[key] for key in OURS} for code in LANGUAGES}
    filled = {
        "LANGUAGES": json.dumps(list(LANGUAGES)),
        "WORDS": json.dumps(spoken),
        "OURS": json.dumps(ours),
        "PUBLIC": json.dumps(links.PUBLIC),
        "LIGHT": PAGE["light"],
        "DARK": PAGE["dark"],
    }
    code = re.sub(r"\b(LANGUAGES|WORDS|OURS|PUBLIC|LIGHT|DARK)\b", lambda name: filled[name[0]], _script("theme.js"))
    return f"<script>{code}</script><script>{_script('glossary.js')}</script><script>{_script('saving.js')}</script>"


def _script(name: str) -> str:
    """A script of this folder, without the comment at its head."""
    return Path(__file__).with_name(name).read_text(encoding="utf-8").partition("*/")[2]


def build_words() -> gr.I18n:
    """Gradio's own sentences as we say them; its Spanish ones say `usted`. Keys as in Gradio's language files."""
    ours = {
        code: {key.removeprefix("gradio."): said for key, said in words(code).items() if _is_gradio(key)}
        for code in LANGUAGES
    }
    return gr.I18n(**ours)


def _is_gradio(key: str) -> bool:
    return key.startswith("gradio.") and not key.startswith(FIXED)


HEAD = build_head()
WORDS = build_words()
