#include "handlers.h"
#include "model/describe.h"

static const char *const state_texts[] = {
#define STATE(name, text) text,
#include "state.def"
#undef STATE
};

static void write_entry(struct text *text, const struct entry *entry, bool is_default)
{
    text_put(text, "{");
    if (entry->generation) {
        describe_signature(text, &entry->generation->model);
    } else {
        text_put(text, "\"name\":");
        text_quote(text, entry->name, strlen(entry->name));
        text_format(text, ",\"version\":\"%s\",\"digest\":null,\"inputs\":[],\"outputs\":[]",
                    entry->version);
    }
    text_format(text, ",\"state\":\"%s\",\"default\":%s", state_texts[entry->state],
                is_default ? "true" : "false");
    if (entry->reason[0]) {
        text_put(text, ",\"reason\":");
        text_quote(text, entry->reason, strlen(entry->reason));
    }
    text_put(text, "}");
}

void handle_models(struct exchange *exchange)
{
    const struct catalog *catalog = exchange->catalog;
    const struct entry *meant = catalog_find(catalog, NULL, NULL);
    text_put(&exchange->reply, "{\"models\":[");
    for (size_t i = 0; i < catalog->count; i++) {
        text_put(&exchange->reply, i ? "," : "");
        write_entry(&exchange->reply, &catalog->entries[i], &catalog->entries[i] == meant);
    }
    text_put(&exchange->reply, "]}");
    exchange_answer(exchange, 200, "application/json");
}
