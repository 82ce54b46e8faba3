"""Tables for a terminal, or as Markdown."""


def duration(nanoseconds):
    for unit, scale in (("ns", 1), ("us", 1e3), ("ms", 1e6)):
        if nanoseconds < 1000 * scale:
            break
    return f"{nanoseconds / scale:.3g} {unit}"


def print_table(header, rows, markdown):
    """Text to the left, numbers to the right."""
    columns = list(zip(*rows))
    right = [i > 0 and any(cell[:1] in tuple("0123456789+-") for cell in column)
             for i, column in enumerate(columns)]
    if markdown:
        lines = [header, ["---:" if r else "---" for r in right], *rows]
        print("\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n")
        return
    widths = [max(map(len, column)) for column in zip(header, *rows)]
    for line in (header, *rows):
        print("  ".join(cell.rjust(w) if r else cell.ljust(w)
                        for cell, w, r in zip(line, widths, right)).rstrip())
    print()
