/* The Open Inference Protocol's requests about the repository: what there is, load, unload. */
#include <stdlib.h>
#include <string.h>

#include "document.h"
#include "handlers.h"

static const char *const state_names[] = {
#define STATE(name, text) #name,
#include "state.def"
#undef STATE
};

/* The index */

static void write_entry(struct text *text, const struct entry *entry)
{
    text_put(text, "{\"name\":");
    text_quote(text, entry->name, strlen(entry->name));
    text_format(text, ",\"version\":\"%s\",\"state\":\"%s\",\"reason\":", entry->version,
                state_names[entry->state]);
    text_quote(text, entry->reason, strlen(entry->reason));
    text_put(text, "}");
}

void handle_v2_index(struct exchange *exchange)
{
    const struct catalog *catalog = exchange->catalog;
    struct text *text = &exchange->reply;
    json_t *json = document_read(exchange);
    if (!json)
        return;
    const bool only_ready = json_is_true(json_object_get(json, "ready"));
    const char *comma = "";
    json_decref(json);
    text_put(text, "[");
    for (size_t i = 0; i < catalog->count; i++) {
        if (only_ready && catalog->entries[i].state != MODEL_READY)
            continue;
        text_put(text, comma);
        write_entry(text, &catalog->entries[i]);
        comma = ",";
    }
    text_put(text, "]");
    exchange_answer(exchange, 200, "application/json");
}

/* Load and unload */

/* An order, from the request to the answer. */
struct errand {
    struct order order;
    struct call call;
    struct exchange *exchange;
};

static void answer_success(struct exchange *exchange, const struct order *order)
{
    const bool loaded = order->kind == ORDER_LOAD;
    text_put(&exchange->reply, "{\"name\":");
    text_quote(&exchange->reply, order->model, strlen(order->model));
    text_format(&exchange->reply, ",\"state\":\"%s\"}",
                state_names[loaded ? MODEL_READY : MODEL_UNAVAILABLE]);
    exchange_answer(exchange, 200, "application/json");
}

static void answer(struct exchange *exchange, const struct order *order)
{
    switch (order->error.status) {
    case STATUS_OK:
        answer_success(exchange, order);
        break;
    case STATUS_NOT_FOUND:
        exchange_refuse(exchange, 404, "unknown_model", "%s", order->error.message);
        break;
    case STATUS_OUT_OF_MEMORY:
    case STATUS_IO:
        exchange_fail(exchange, &order->error);
        break;
    default:
        exchange_refuse(exchange, 400, "load_failed", "%s", order->error.message);
    }
}

static void finish(struct call *call)
{
    struct errand *errand = (struct errand *)((char *)call - offsetof(struct errand, call));
    answer(errand->exchange, &errand->order);
    exchange_resume(errand->exchange);
    free(errand);
}

static void on_done(struct order *order)
{
    struct errand *errand = (struct errand *)order;
    loop_call(errand->exchange->loop, &errand->call);
}

static void send_order(struct exchange *exchange, enum order_kind kind)
{
    struct errand *errand = calloc(1, sizeof *errand);
    if (!errand) {
        exchange_refuse(exchange, 503, "out_of_memory", "no memory left for the request");
        return;
    }
    errand->order = (struct order){.kind = kind, .model = exchange->model, .done = on_done};
    errand->call.run = finish;
    errand->exchange = exchange;
    exchange_suspend(exchange);
    registry_order(&loop_server(exchange->loop)->registry, &errand->order);
}

/* Triton's clients may send a configuration and files with a load; ours are in the repository. */
static bool brings_files(const json_t *json)
{
    const char *key;
    json_t *value, *parameters = json_object_get(json, "parameters");
    json_object_foreach(parameters, key, value)
    {
        if (strcmp(key, "config") == 0 || strncmp(key, "file:", strlen("file:")) == 0)
            return true;
    }
    return false;
}

void handle_v2_load(struct exchange *exchange)
{
    json_t *json = handlers_admin(exchange) ? document_read(exchange) : NULL;
    if (!json)
        return;
    const bool refused = brings_files(json);
    json_decref(json);
    if (refused)
        exchange_refuse(exchange, 400, "unsupported",
                        "models and their configuration are read from the repository, a request "
                        "cannot bring them");
    else
        send_order(exchange, ORDER_LOAD);
}

void handle_v2_unload(struct exchange *exchange)
{
    if (handlers_admin(exchange))
        send_order(exchange, ORDER_UNLOAD);
}
