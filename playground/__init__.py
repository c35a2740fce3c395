"""
PEFT Playground: how a large language model is adapted cheaply.

The modules of this package are the core (no Gradio, no plotly); `playground.plots` draws, `playground.ui` is the page.
"""
