#include "envelope.h"

#include <string.h>

void envelope_free(struct envelope *kept)
{
    json_decref(kept->json);
    kept->json = NULL;
}

json_t *envelope_parse(struct envelope *kept, const char *bytes, size_t count, json_error_t *error)
{
    if (kept->json && count == kept->count && memcmp(bytes, kept->bytes, count) == 0)
        return json_incref(kept->json);
    json_t *json = json_loadb(bytes, count, JSON_REJECT_DUPLICATES, error);
    if (json && count <= sizeof kept->bytes) {
        envelope_free(kept);
        memcpy(kept->bytes, bytes, count);
        kept->count = count;
        kept->json = json_incref(json);
    }
    return json;
}
