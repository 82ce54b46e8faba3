#include "onnx_pattern.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Recurses as deep as the patterns of the table are. */
static struct pattern *read(struct arena *arena, const char **at);

/* Reads the parts in brackets: *at stands at the first, moves behind the second. */
static struct pattern *read_parts(struct arena *arena, struct pattern *pattern, char between,
                                  const char **at)
{
    do {
        *at += 1 + strspn(*at + 1, " ");
        const struct pattern *part = read(arena, at);
        if (!part)
            return NULL;
        assert(pattern->part_count < PATTERN_PARTS_MAX);
        pattern->parts[pattern->part_count++] = part;
    } while (**at == between);
    ++*at;
    return pattern;
}

static struct pattern *read_call(struct arena *arena, struct pattern *pattern, size_t length,
                                 const char **at)
{
    struct activation activation;
    pattern->op_type = arena_text(arena, *at, length);
    if (!pattern->op_type)
        return NULL;
    *at += length;
    if (activation_named(&activation, pattern->op_type)) {
        pattern->kind = PATTERN_ACTIVATION;
        pattern->activation = activation.type;
    }
    return read_parts(arena, pattern, ',', at);
}

static void read_letter(struct pattern *pattern, const char *letter)
{
    static const struct {
        char letter;
        enum pattern_kind kind;
    } letters[] = {{'x', PATTERN_INPUT},     {'s', PATTERN_SLOPES},   {'a', PATTERN_PARAMETER},
                   {'b', PATTERN_PARAMETER}, {'u', PATTERN_FRACTION}, {'n', PATTERN_NOT_POSITIVE}};
    pattern->negative = *letter == '-';
    letter += pattern->negative;
    pattern->kind = PATTERN_NUMBER;
    pattern->parameter = *letter == 'b';
    for (size_t i = 0; i < sizeof letters / sizeof letters[0]; i++)
        if (letters[i].letter == *letter)
            pattern->kind = letters[i].kind;
}

static struct pattern *read(struct arena *arena, const char **at)
{
    struct pattern *pattern = arena_alloc(arena, 1, sizeof *pattern);
    const size_t length = strcspn(*at, "(,|)}");
    if (!pattern)
        return NULL;
    if (**at == '{') {
        pattern->kind = PATTERN_EITHER;
        return read_parts(arena, pattern, '|', at);
    }
    if ((*at)[length] == '(')
        return read_call(arena, pattern, length, at);
    read_letter(pattern, *at);
    if (pattern->kind == PATTERN_NUMBER)
        pattern->number = strtod(*at, NULL);
    *at += length;
    return pattern;
}

const struct pattern *pattern_read(struct arena *arena, const char *text)
{
    const struct pattern *pattern = read(arena, &text);
    assert(!pattern || *text == '\0');
    return pattern;
}
