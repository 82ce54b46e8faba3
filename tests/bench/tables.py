"""Tables for a terminal, or as Markdown."""


def duration(nanoseconds):
    for unit, scale in (("ns", 1), ("us", 1e3), ("ms", 1e6)):
        if nanoseconds < 1000 * scale:
            break
    return f"{nanoseconds / scale:.3g} {unit}"


def print_table(header, rows, markdown):
    """The first column to the left, numbers to the right."""
    if markdown:
        lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
        print("\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n")
        return
    widths = [max(map(len, column)) for column in zip(header, *rows)]
    for line in (header, *rows):
        cells = [line[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(line[1:], widths[1:]))]
        print("  ".join(cells).rstrip())
    print()
