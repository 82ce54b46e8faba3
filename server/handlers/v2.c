/* The Open Inference Protocol's questions about the server and its models. */
#include <string.h>

#include "handlers.h"
#include "model/describe.h"

static bool is_ready(const struct exchange *exchange)
{
    return atomic_load(&loop_server(exchange->loop)->phase) == PHASE_READY;
}

static void answer(struct exchange *exchange)
{
    exchange_answer(exchange, 200, "application/json");
}

/* The server */

void handle_v2_server(struct exchange *exchange)
{
    text_put(&exchange->reply, "{\"name\":\"relud\",\"version\":\"" RELUD_VERSION
                               "\",\"extensions\":[\"binary_tensor_data\",\"statistics\","
                               "\"model_repository\",\"model_configuration\",\"classification\"]}");
    answer(exchange);
}

void handle_v2_live(struct exchange *exchange)
{
    text_put(&exchange->reply, "{\"live\":true,\"ready\":");
    text_put(&exchange->reply, is_ready(exchange) ? "true}" : "false}");
    answer(exchange);
}

void handle_v2_ready(struct exchange *exchange)
{
    if (!handlers_ready(exchange))
        return;
    text_put(&exchange->reply, "{\"live\":true,\"ready\":true}");
    answer(exchange);
}

/* A model */

static void write_name(struct text *text, const struct model *model)
{
    text_put(text, "{\"name\":");
    text_quote(text, model->name, strlen(model->name));
}

/* Those that answer. */
static void write_versions(struct text *text, const struct catalog *catalog, const char *name)
{
    const char *comma = "";
    text_put(text, ",\"versions\":[");
    for (size_t i = 0; i < catalog->count; i++) {
        const struct entry *entry = &catalog->entries[i];
        if (!entry->generation || strcmp(entry->name, name) != 0)
            continue;
        text_put(text, comma);
        text_quote(text, entry->version, strlen(entry->version));
        comma = ",";
    }
    text_put(text, "]");
}

void handle_v2_model(struct exchange *exchange)
{
    const struct generation *generation = handlers_generation(exchange);
    struct text *text = &exchange->reply;
    if (!generation)
        return;
    write_name(text, &generation->model);
    write_versions(text, exchange->catalog, generation->model.name);
    text_put(text, ",\"platform\":\"relud\",");
    describe_ports(text, &generation->model);
    text_put(text, "}");
    answer(exchange);
}

void handle_v2_model_ready(struct exchange *exchange)
{
    const struct generation *generation = handlers_generation(exchange);
    if (!generation || !handlers_ready(exchange))
        return;
    write_name(&exchange->reply, &generation->model);
    text_put(&exchange->reply, ",\"ready\":true}");
    answer(exchange);
}

/* Statistics */

static void write_usage(struct exchange *exchange, const struct entry *entry)
{
    struct text *text = &exchange->reply;
    struct usage_sum sum = {.rows = 0};
    if (!ledger_collect(entry->ledger, &sum))
        text->failed = true;
    write_name(text, &entry->generation->model);
    text_put(text, ",\"version\":");
    text_quote(text, entry->version, strlen(entry->version));
    text_put(text, ",");
    usage_write(text, &sum);
    text_put(text, "}");
    usage_sum_free(&sum);
}

/* Of every model, or that of one name; of every version, or one. */
static void answer_stats(struct exchange *exchange, const char *name, const char *version)
{
    const struct catalog *catalog = exchange->catalog;
    const char *comma = "";
    text_put(&exchange->reply, "{\"model_stats\":[");
    for (size_t i = 0; i < catalog->count; i++) {
        const struct entry *entry = &catalog->entries[i];
        if (!entry->generation || (name && strcmp(entry->name, name) != 0) ||
            (version && strcmp(entry->version, version) != 0))
            continue;
        text_put(&exchange->reply, comma);
        write_usage(exchange, entry);
        comma = ",";
    }
    text_put(&exchange->reply, "]}");
    answer(exchange);
}

void handle_v2_model_stats(struct exchange *exchange)
{
    if (handlers_generation(exchange))
        answer_stats(exchange, exchange->model, exchange->version);
}

void handle_v2_stats(struct exchange *exchange)
{
    answer_stats(exchange, NULL, NULL);
}

/* Configuration, in the words of Triton's ModelConfig */

/* The dimensions leave the batch out. */
static void write_tensors(struct text *text, const struct model *model, const struct port *ports,
                          size_t count)
{
    for (size_t i = 0; i < count; i++) {
        text_put(text, i ? ",{\"name\":" : "{\"name\":");
        text_quote(text, ports[i].name, strlen(ports[i].name));
        text_put(text, ",\"data_type\":\"TYPE_FP32\",\"dims\":[");
        size_t first = model->whole ? 0 : 1;
        for (size_t d = first; d < ports[i].rank; d++) {
            text_put(text, d > first ? "," : "");
            text_u64(text, (uint64_t)ports[i].dims[d]);
        }
        text_put(text, "]}");
    }
}

void handle_v2_config(struct exchange *exchange)
{
    const struct generation *generation = handlers_generation(exchange);
    struct text *text = &exchange->reply;
    if (!generation)
        return;
    const struct model *model = &generation->model;
    write_name(text, model);
    text_put(text, ",\"platform\":\"relud\",\"backend\":\"relud\","
                   "\"version_policy\":{\"all\":{}},\"max_batch_size\":");
    text_u64(text, model->whole ? 0 : handlers_row_limit(exchange, model));
    text_put(text, ",\"input\":[");
    write_tensors(text, model, model->inputs, model->graph.input_count);
    text_put(text, "],\"output\":[");
    write_tensors(text, model, model->outputs, model->graph.output_count);
    text_put(text, "],\"dynamic_batching\":{},\"instance_group\":[{\"name\":");
    text_quote(text, model->name, strlen(model->name));
    text_put(text, ",\"kind\":\"KIND_CPU\",\"count\":");
    text_u64(text, generation->seat_count);
    text_put(text, "}]}");
    answer(exchange);
}
