# SPDX-License-Identifier: Apache-2.0
"""Bars of ratios as SVG, by hand."""
from xml.sax.saxutils import escape

WIDTH, LABEL, ROW = 900, 360, 34
SCALE = WIDTH - LABEL - 80


def plot(bars):
    """bars: (title, ratio, goal or None)."""
    most = max(max(ratio, goal or 0, 1.0) for _, ratio, goal in bars)
    height = 40 + ROW * len(bars) + 30

    def at(value):
        return LABEL + value / most * SCALE
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
             f'viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="13">',
             "<title>mod_authstatus: ratios, from tests/bench/run</title>",
             f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
             f'<line x1="{at(1):.1f}" x2="{at(1):.1f}" y1="30" y2="{height - 26}" stroke="#888"/>',
             f'<text x="{at(1):.1f}" y="22" text-anchor="middle" fill="#555">1</text>']
    for number, (title, ratio, goal) in enumerate(bars):
        top = 36 + ROW * number
        parts += [f'<text x="{LABEL - 10}" y="{top + 17}" text-anchor="end">{escape(title)}</text>',
                  f'<rect x="{LABEL}" y="{top + 3}" width="{ratio / most * SCALE:.1f}" height="20" fill="#2f6f9f"/>',
                  f'<text x="{LABEL + 8}" y="{top + 17}" fill="#fff">{ratio:.2f}</text>']
        if goal:
            parts.append(f'<line x1="{at(goal):.1f}" x2="{at(goal):.1f}" y1="{top}" y2="{top + 26}" stroke="#c60" '
                         'stroke-width="3"/>')
    parts += [f'<text x="{LABEL}" y="{height - 8}" fill="#c60">orange: to reach</text>', "</svg>"]
    return "\n".join(parts) + "\n"
