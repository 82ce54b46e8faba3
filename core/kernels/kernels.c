#include "kernels.h"

#include <pthread.h>
#include <string.h>

#include "cpu.h"

#define ISA(isa) extern const struct kernels kernels_##isa;
#include "isa.def"
#undef ISA

static const struct kernels *const compiled[] = {
#define ISA(isa) &kernels_##isa,
#include "isa.def"
#undef ISA
};

enum { COMPILED_COUNT = sizeof compiled / sizeof compiled[0] };

static const struct kernels *usable[COMPILED_COUNT];
static size_t usable_count;

static void find_usable(void)
{
    for (size_t i = 0; i < COMPILED_COUNT; i++)
        if (cpu_usable(compiled[i]->name))
            usable[usable_count++] = compiled[i];
}

const struct kernels *const *kernels_usable(size_t *count)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, find_usable);
    *count = usable_count;
    return usable;
}

const struct kernels *kernels_select(const char *name, struct error *error)
{
    size_t count;
    const struct kernels *const *list = kernels_usable(&count);
    for (size_t i = 0; i < count; i++)
        if (strcmp(name, "auto") == 0 || strcmp(name, list[i]->name) == 0)
            return list[i];
    error_set(error, STATUS_UNSUPPORTED,
              "this machine cannot run \"%s\" kernels; its best are \"%s\"", name, list[0]->name);
    return NULL;
}
