#include "ranking.h"

#include <math.h>
#include <stdbool.h>

/* The k best so far are a heap whose root is the worst of them: most numbers are compared with it
 * and passed over. */

static bool precedes(const float *numbers, size_t a, size_t b)
{
    if (isnan(numbers[a]) != isnan(numbers[b]))
        return isnan(numbers[b]);
    if (numbers[a] > numbers[b] || numbers[a] < numbers[b])
        return numbers[a] > numbers[b];
    return a < b;
}

/* Lets index sink from the root of heap[count], whose root is free. */
static void sink(const float *numbers, size_t *heap, size_t count, size_t index)
{
    size_t at = 0;
    for (size_t child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && precedes(numbers, heap[child], heap[child + 1]))
            child++;
        if (precedes(numbers, heap[child], index))
            break;
        heap[at] = heap[child];
    }
    heap[at] = index;
}

/* Lets index rise from the end of heap[count], which becomes one longer. */
static void rise(const float *numbers, size_t *heap, size_t count, size_t index)
{
    size_t at = count;
    for (size_t parent; at > 0 && precedes(numbers, heap[parent = (at - 1) / 2], index);
         at = parent)
        heap[at] = heap[parent];
    heap[at] = index;
}

void ranking_best(const float *numbers, size_t count, size_t k, size_t *best)
{
    for (size_t i = 0; i < k; i++)
        rise(numbers, best, i, i);
    for (size_t i = k; i < count && k > 0; i++)
        if (precedes(numbers, i, best[0]))
            sink(numbers, best, k, i);
    for (size_t left = k; left > 1; left--) {
        size_t worst = best[0];
        sink(numbers, best, left - 1, best[left - 1]);
        best[left - 1] = worst;
    }
}
